/** Models without values for their weights: for those who set all of them, or want to know their names and shapes. */
import { engine, serialization } from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { isRecord } from './keras/saved.ts';

/**
 * A model with zeros for weights, of a topology in TensorFlow.js's form. No initializer runs: some are slow, and that of a forget
 * bias leaks tensors. Where the model cannot be made, the weights of the layers that could are disposed of.
 */
export function emptyModel(modelTopology: object): Promise<LayersModel> {
  const { model_config, ...whole } = modelTopology as { readonly model_config?: unknown };
  const config = isRecord(model_config) ? model_config : whole;
  return loadLayersModel({ load: async () => ({ modelTopology: { class_name: EMPTY_MODEL.className, config } }) });
}

const { classNameMap } = serialization.SerializationMap.getMap();
type Maker = (cls: unknown, config: object, customObjects: object, hasZeros: boolean) => LayersModel;

/** TensorFlow.js makes models with zeros only if it also gets all weights by name; what is within this class always has them. */
const EMPTY_MODEL = {
  className: 'tfjs-normalizations/EmptyModel',

  fromConfig(_: unknown, { className, config }: { className: string; config: object }): LayersModel {
    const [cls, fromConfig] = classNameMap[className] as unknown as [unknown, Maker];
    const { registeredVariables } = engine();
    const before = new Set(Object.values(registeredVariables));
    try {
      return fromConfig(cls, config, {}, true);
    } catch (error) {
      for (const variable of Object.values(registeredVariables)) if (!before.has(variable)) variable.dispose();
      throw error;
    }
  },
};

type Class = serialization.SerializableConstructor<serialization.Serializable>;
serialization.registerClass(EMPTY_MODEL as unknown as Class);
