/** Models with zeros for weights: for code that sets all weights, or needs only their names and shapes. */
import { engine, serialization } from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { isRecord, MODELS } from './keras/saved.ts';

const EMPTY_MODEL = 'tfjs-normalizations/empty';

/**
 * A model with zeros for weights, of a topology in TensorFlow.js's form. No initializer runs: some are slow, and that of a forget
 * bias leaks tensors. Where the model cannot be made, nothing is left of the layers that could.
 */
export function emptyModel(modelTopology: object): Promise<LayersModel> {
  const { model_config, ...whole } = modelTopology as { readonly model_config?: unknown };
  const config = isRecord(model_config) ? model_config : whole;
  return loadLayersModel({ load: async () => ({ modelTopology: { class_name: EMPTY_MODEL, config } }) });
}

/** Disposes of a model that nobody uses yet. `model.dispose` of TensorFlow.js leaves weights of models within, and of cells. */
export function disposeWeights({ weights }: LayersModel): void {
  for (const weight of new Map(weights.map((weight) => [weight.id, weight])).values()) weight.dispose();
}

type FromConfig = (cls: unknown, config: object, customObjects: object, hasZeros?: boolean) => LayersModel;
type Entry = readonly [cls: unknown, fromConfig: FromConfig];
const classNameMap = serialization.SerializationMap.getMap().classNameMap as unknown as Record<string, Entry>;

/** Makes the model with zeros. TensorFlow.js itself does so only if it is given all weights by name. */
function makeEmpty({ className, config }: { className: string; config: object }): LayersModel {
  const entries = MODELS.map((name) => [name, classNameMap[name] as Entry] as const);
  const { registeredVariables: variables, state } = engine();
  const before = { ...variables };
  engine().startScope();
  const { track: tensors } = state.activeScope;
  try {
    // Also the models within, to which TensorFlow.js does not pass this on.
    for (const [name, [cls, fromConfig]] of entries) {
      classNameMap[name] = [cls, (cls, config, customObjects) => fromConfig(cls, config, customObjects, true)];
    }
    const [cls, fromConfig] = classNameMap[className] as Entry;
    const model = fromConfig(cls, config, {});
    engine().endScope(tensors);
    return model;
  } catch (error) {
    engine().endScope();
    for (const name in variables) if (!before[name]) variables[name]?.dispose();
    throw error;
  } finally {
    for (const [name, entry] of entries) classNameMap[name] = entry;
  }
}

/** As a class that saved models may name, it runs within TensorFlow.js's own reading of a topology. */
classNameMap[EMPTY_MODEL] = [EMPTY_MODEL, (_, saved) => makeEmpty(saved as Parameters<typeof makeEmpty>[0])];
