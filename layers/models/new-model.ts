/** Models of a topology in TensorFlow.js's form. Where the model cannot be made, nothing is left of the layers that could. */
import { engine, serialization } from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { isRecord, MODELS } from './keras/saved.ts';

/** Classes that a topology is given as, so that `makeModel` runs within TensorFlow.js's own reading of it. */
const EMPTY = 'tfjs-normalizations/empty';
const INITIALIZED = 'tfjs-normalizations/initialized';

function modelOf(modelTopology: object, class_name: string): Promise<LayersModel> {
  const { model_config, ...whole } = modelTopology as { readonly model_config?: unknown };
  const config = isRecord(model_config) ? model_config : whole;
  return loadLayersModel({ load: async () => ({ modelTopology: { class_name, config } }) });
}

/**
 * A model with zeros for weights: for code that sets all weights, or needs only their names and shapes. No initializer runs: some are slow,
 * and that of a forget bias leaks tensors.
 */
export const emptyModel = (modelTopology: object): Promise<LayersModel> => modelOf(modelTopology, EMPTY);

/** A model as it is before training. */
export const initializedModel = (modelTopology: object): Promise<LayersModel> => modelOf(modelTopology, INITIALIZED);

/** Disposes of a model that nobody uses yet. `model.dispose` of TensorFlow.js leaves weights of models within, and of cells. */
export function disposeWeights({ weights }: LayersModel): void {
  for (const weight of new Map(weights.map((weight) => [weight.id, weight])).values()) weight.dispose();
}

type FromConfig = (cls: unknown, config: object, customObjects: object, hasZeros?: boolean) => LayersModel;
type Entry = readonly [cls: unknown, fromConfig: FromConfig];
const classNameMap = serialization.SerializationMap.getMap().classNameMap as unknown as Record<string, Entry>;

/** Makes the model. With zeros TensorFlow.js itself does so only if it is given all weights by name. */
function makeModel({ className, config }: { className: string; config: object }, hasZeros: boolean): LayersModel {
  const entries = MODELS.map((name) => [name, classNameMap[name] as Entry] as const);
  const { registeredVariables: variables, state } = engine();
  const before = { ...variables };
  engine().startScope();
  const { track: tensors } = state.activeScope;
  try {
    // Also the models within, to which TensorFlow.js does not pass this on.
    for (const [name, [cls, fromConfig]] of entries) {
      classNameMap[name] = [cls, (cls, config, customObjects) => fromConfig(cls, config, customObjects, hasZeros)];
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

for (const name of [EMPTY, INITIALIZED]) {
  classNameMap[name] = [name, (_, saved) => makeModel(saved as Parameters<typeof makeModel>[0], name === EMPTY)];
}
