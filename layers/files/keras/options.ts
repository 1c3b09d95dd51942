/**
 * One layer as Keras 3 saves it, with the layers and cells that it holds. What Keras would read as another function is refused:
 * names that both have are not always the same thing.
 */
import { configOfLayer } from '../../base/inner-layer.ts';
import { isOfRegisteredClass } from '../../base/register.ts';
import { type Config, isRecord } from '../../models/keras/saved.ts';
import { type Described, RULES, refuse } from './classes.ts';

/** An object as Keras 3 writes it. */
export interface KerasObject {
  readonly module: string;
  readonly class_name: string;
  readonly config: Config;
  readonly registered_name: string | null;
}

/** The Python module that has the classes which Keras lacks, and the package that it registers them under. */
const MODULE = 'tfjs_normalizations';

/** TensorFlow.js's activations, as Keras calls them. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  elu: 'elu',
  gelu: 'gelu',
  hardSilu: 'hard_silu',
  linear: 'linear',
  logSoftmax: 'log_softmax',
  mish: 'mish',
  relu: 'relu',
  relu6: 'relu6',
  selu: 'selu',
  sigmoid: 'sigmoid',
  softmax: 'softmax',
  softplus: 'softplus',
  softsign: 'softsign',
  swish: 'silu',
  tanh: 'tanh',
};
/** Why other activations are refused, and what to use. */
const OTHER_ACTIVATIONS: Readonly<Record<string, string>> = {
  hardSigmoid: "which in Keras 3 is another function; use 'sigmoid', and train on with it",
  gelu_new: "which Keras has under no name; use 'gelu', and train on with it",
};

/** The modules of the objects that options hold, by how the options' names end. */
const MODULES: readonly (readonly [end: RegExp, module: string])[] = [
  [/initializer$/i, 'keras.initializers'],
  [/regularizer$/i, 'keras.regularizers'],
  [/constraint$/i, 'keras.constraints'],
];
/** TensorFlow.js's classes of such objects, and Keras's where they are called otherwise. */
const OBJECTS: Readonly<Record<string, string>> = {
  ...same('Constant', 'GlorotNormal', 'GlorotUniform', 'HeNormal', 'HeUniform', 'Identity', 'Ones', 'Orthogonal'),
  ...same('RandomNormal', 'RandomUniform', 'TruncatedNormal', 'VarianceScaling', 'Zeros', 'L1L2'),
  ...same('MaxNorm', 'MinMaxNorm', 'NonNeg', 'UnitNorm'),
  LeCunNormal: 'LecunNormal',
  LeCunUniform: 'LecunUniform',
};
function same(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, name]));
}

/** Saved options that are written otherwise: those of inputs are an input layer's in Keras, and layers are not written as options. */
const NOT_WRITTEN = ['batchInputShape', 'inputDType', 'dtype', 'name', 'layer', 'cell', 'cells', 'activityRegularizer'];

export function layerInKeras(layer: Described): KerasObject {
  const className = layer.getClassName();
  const rule = Object.hasOwn(RULES, className) ? RULES[className] : undefined;
  if (!rule || !isOfRegisteredClass(layer)) {
    refuse(layer, 'is of a class of your own, which Keras does not know; write it as layers of TensorFlow.js');
  }
  if (rule.refused) refuse(layer, rule.refused);
  if (layer.name.includes('/'))
    refuse(layer, "has a '/' in its name, which Keras does not allow; give it another name");
  const config = configOfLayer(layer).config as Config;
  if (config.activityRegularizer) {
    refuse(layer, 'has an activityRegularizer, which TensorFlow.js ignores and Keras obeys; make it without');
  }
  const isOurs = rule.isOurs?.(config, layer) ?? false;
  const options = rule.options?.(config, layer) ?? config;
  const own = Object.entries(options).filter(([name]) => !NOT_WRITTEN.includes(name));
  const name = rule.nameIn?.(config) ?? rule.className ?? className;
  return {
    module: isOurs ? MODULE : 'keras.layers',
    class_name: name,
    config: {
      name: layer.name,
      dtype: className === 'InputLayer' ? layer.dtype : 'float32',
      ...Object.fromEntries(own.map(([name, value]) => [snakeCase(name), valueInKeras(name, value, layer)])),
      ...heldLayers(layer),
    },
    registered_name: isOurs ? `${MODULE}>${name}` : null,
  };
}

/** The layers and cells that a layer holds, as its options. */
function heldLayers(holder: Described): Config {
  const { cell, cells, forwardLayer, backwardLayer, layer = forwardLayer } = holder;
  // Without the layer that goes backwards Keras makes it of the other, and may take one of another Bidirectional for it.
  if (layer)
    return { layer: layerInKeras(layer), ...(backwardLayer && { backward_layer: layerInKeras(backwardLayer) }) };
  if (cells) return { cells: cells.map(layerInKeras) };
  // Other recurrent layers have a cell of their own.
  return cell && holder.getClassName() === 'RNN' ? { cell: layerInKeras(cell) } : {};
}

function valueInKeras(name: string, value: unknown, layer: Described): unknown {
  if (/activation$/i.test(name)) return activationInKeras(name, value as string, layer);
  const module = MODULES.find(([end]) => end.test(name))?.[1];
  if (module) return isRecord(value) ? objectInKeras(name, value, module, layer) : null;
  // A value such as channelsLast or oneHot; names that users choose are not among these options.
  if (typeof value === 'string') return snakeCase(value);
  return isRecord(value) ? inSnakeCase(value) : (value ?? null);
}

function activationInKeras(name: string, value: string, layer: Described): string {
  if (Object.hasOwn(ACTIVATIONS, value)) return ACTIVATIONS[value] as string;
  const why = OTHER_ACTIVATIONS[value] ?? 'which Keras does not know; use one that TensorFlow.js has';
  return refuse(layer, `has the ${name} ${value}, ${why}`);
}

/** An initializer, regularizer or constraint. */
function objectInKeras(name: string, { className, config }: Config, module: string, layer: Described): KerasObject {
  const kerasName = Object.hasOwn(OBJECTS, String(className)) ? OBJECTS[String(className)] : undefined;
  if (!kerasName) refuse(layer, `has the ${name} ${className}, which Keras does not know; use one of TensorFlow.js`);
  const options = inSnakeCase(config as Config);
  if (options.distribution === 'normal') options.distribution = 'truncated_normal';
  if (typeof options.mode === 'string') options.mode = snakeCase(options.mode);
  return { module, class_name: kerasName, config: options, registered_name: null };
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const inSnakeCase = (config: Config): Config =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [snakeCase(key), value]));
