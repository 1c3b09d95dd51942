/** Models without values for their weights: for those who set all of them, or want to know their names and shapes. */
import { engine, serialization } from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { isRecord, MODELS } from './keras/saved.ts';

/**
 * A model with zeros for weights, of a topology in TensorFlow.js's form. No initializer runs: some are slow, and that of a forget
 * bias leaks tensors. Where the model cannot be made, the weights of the layers that could are disposed of.
 */
export function emptyModel(modelTopology: object): Promise<LayersModel> {
  const { model_config, ...whole } = modelTopology as { readonly model_config?: unknown };
  const config = isRecord(model_config) ? model_config : whole;
  return loadLayersModel({ load: async () => ({ modelTopology: { class_name: EMPTY_MODEL.className, config } }) });
}

type FromConfig = (cls: unknown, config: object, customObjects: object, hasZeros?: boolean) => LayersModel;
type Entry = [cls: unknown, fromConfig: FromConfig];
const classNameMap = serialization.SerializationMap.getMap().classNameMap as unknown as Record<string, Entry>;

/** TensorFlow.js makes a model with zeros only if it also gets all weights by name. What is within this class always has zeros. */
const EMPTY_MODEL = {
  className: 'tfjs-normalizations/EmptyModel',

  fromConfig(_: unknown, { className, config }: { className: string; config: object }): LayersModel {
    const entries = MODELS.flatMap((name) => (classNameMap[name] ? [[name, classNameMap[name]] as const] : []));
    const { registeredVariables } = engine();
    const before = new Set(Object.values(registeredVariables));
    try {
      // Also the models within, to which TensorFlow.js does not pass this on.
      for (const [name, [cls, fromConfig]] of entries) {
        const withZeros: FromConfig = (cls, config, customObjects) => fromConfig(cls, config, customObjects, true);
        classNameMap[name] = [cls, withZeros];
      }
      const [cls, fromConfig] = classNameMap[className] as Entry;
      return fromConfig(cls, config, {});
    } catch (error) {
      for (const variable of Object.values(registeredVariables)) if (!before.has(variable)) variable.dispose();
      throw error;
    } finally {
      for (const [name, entry] of entries) classNameMap[name] = entry;
    }
  },
};

type Class = serialization.SerializableConstructor<serialization.Serializable>;
serialization.registerClass(EMPTY_MODEL as unknown as Class);
