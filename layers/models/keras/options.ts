/**
 * Classes and options of Keras that have other names or meanings in TensorFlow.js. Where TensorFlow.js has the same thing under
 * another name, the file is rewritten; what its layers would silently ignore is refused.
 */
import { serialization } from '@tensorflow/tfjs-core';
import { fail } from '../../../kernels/core/errors.ts';
import { isOther, kindOfOption } from '../../base/identifiers.ts';
import { InstanceNormalization } from '../../instance-normalization.ts';
import { type Config, classOf, isRecord, isSaved, refuse, type Saved } from './saved.ts';

/** Keras's classes, and TensorFlow.js's names for them. */
const CLASSES: Readonly<Record<string, string>> = {
  GroupedQueryAttention: 'MultiHeadAttention',
  IdentityInitializer: 'Identity',
  L1: 'L1L2',
  L2: 'L1L2',
  LecunNormal: 'LeCunNormal',
  LecunUniform: 'LeCunUniform',
  OrthogonalInitializer: 'Orthogonal',
};
const OPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  GroupedQueryAttention: { head_dim: 'key_dim', num_query_heads: 'num_heads' },
  LeakyReLU: { negative_slope: 'alpha' },
};
const kernel = ['kernel_initializer', 'kernel_regularizer', 'kernel_constraint'];
const ofHeads = ['use_gate', 'sliding_window', 'flash_attention', 'query_shape', 'key_shape', 'value_shape'];
/** By class, the options that Keras saves without using them, and TensorFlow.js refuses. */
const UNUSED: Readonly<Record<string, readonly string[]>> = {
  GroupedQueryAttention: ofHeads,
  MultiHeadAttention: ofHeads,
  SeparableConv2D: kernel,
};
/** What TensorFlow Addons puts before the names of its classes. */
const ADDONS = 'Addons>';
const ACTIVATIONS: Readonly<Record<string, string>> = { hard_swish: 'hard_silu', silu: 'swish' };

const convolution = { groups: 1 };
const depthwise = { groups: 1, dilation_rate: 1 };
const transposed = { groups: 1, dilation_rate: 1, output_padding: null };
/** Of layers of sequences: their axes always have the channels last. */
const pooling = { data_format: 'channels_last' };
const recurrent = { time_major: false };
const heads = { use_gate: false, sliding_window: null };
/** By class, the options that TensorFlow.js's layers ignore, with the only value for which ignoring them is right. */
const IGNORED: Readonly<Record<string, Config>> = {
  AveragePooling1D: pooling,
  Conv1D: convolution,
  Conv2D: convolution,
  Conv3D: convolution,
  Conv2DTranspose: transposed,
  Conv3DTranspose: transposed,
  DepthwiseConv2D: depthwise,
  GlobalAveragePooling1D: pooling,
  GlobalMaxPooling1D: pooling,
  GroupedQueryAttention: heads,
  GRU: recurrent,
  InputLayer: { optional: false, ragged: false },
  LSTM: recurrent,
  MaxPooling1D: pooling,
  MultiHeadAttention: heads,
  SimpleRNN: recurrent,
  ReLU: { negative_slope: 0, threshold: 0 },
  // An option of the operation, which counts the batch as an axis; the layer Reshape has target_shape.
  Reshape: { newshape: null },
  SeparableConv2D: convolution,
  UpSampling2D: { interpolation: 'nearest' },
};

/** What TensorFlow.js takes for the name of a weight, and so of a layer. */
const NAME_OF_TENSORS = /^[A-Za-z0-9][-A-Za-z0-9._/]*$/;

/** The options of an object of Keras under TensorFlow.js's names. The objects within `config` are rewritten already. */
export function renamedOptions(saved: Saved, config: Config, isKeras3: boolean): Config {
  const class_name = classOf(saved);
  checkKinds(saved, config);
  for (const [option, right] of Object.entries(IGNORED[class_name] ?? {})) {
    const value = config[option] ?? null;
    if (value === null || [value].flat().every((one) => one === right)) continue;
    refuse(
      saved,
      `has ${option} ${JSON.stringify(value)}, which TensorFlow.js does not have; only ${right} can be loaded`,
    );
  }
  if (class_name === 'Conv1D' && config.padding === 'causal') {
    refuse(saved, "has the padding 'causal', which TensorFlow.js does not have; pad in a layer before it");
  }
  if (class_name === 'L1' || class_name === 'L2') return { l1: 0, l2: 0, ...config };
  if (class_name === 'Bidirectional') return optionsOfBidirectional(saved, config);
  if (isIdentity(saved)) return { ...config, activation: 'linear' };
  const names = OPTIONS[class_name] ?? {};
  const unused = UNUSED[class_name] ?? [];
  const used = Object.entries(config).filter(([key]) => !unused.includes(key));
  return Object.fromEntries(
    used.map(([key, value]) => {
      const isActivation = /(^|_)activation$/.test(key) && typeof value === 'string';
      if (isActivation && value === 'hard_sigmoid' && isKeras3) {
        refuse(
          saved,
          `has the ${key} hard_sigmoid, in Keras 3 another function than in TensorFlow.js; save the model without`,
        );
      }
      return [names[key] ?? key, isActivation ? (ACTIVATIONS[value] ?? value) : value];
    }),
  );
}

/** Refuses a layer as a constraint, and the like: TensorFlow.js would call it all the same. */
function checkKinds(saved: Saved, config: Config): void {
  const { classNameMap } = serialization.SerializationMap.getMap();
  for (const [option, value] of Object.entries(config)) {
    const kind = kindOfOption(option);
    if (!kind || !isSaved(value) || !Object.hasOwn(classNameMap, value.class_name)) continue;
    const [cls] = classNameMap[value.class_name] as [{ readonly prototype: object }, unknown];
    if (isOther(cls.prototype, kind))
      refuse(saved, `has ${value.class_name} for its ${option}, which is another kind of thing; save the model again`);
  }
}

/** The class in TensorFlow.js. */
export function classInTensorFlowJs(saved: Saved): string {
  const { config, registered_name } = saved;
  const class_name = classOf(saved);
  // An initializer may also have the class name Identity, which is not to become an activation.
  if (isIdentity(saved)) return 'Activation';
  const isMaskedMean = class_name === 'GlobalAveragePooling1D' && isCalledWithMask(saved);
  if (isMaskedMean || (/^Global(Average|Max)Pooling[12]D$/.test(class_name) && config.keepdims)) {
    return `Keras${class_name}`;
  }
  const isZeroed = class_name === 'Bidirectional' && isSaved(config.layer) && config.layer.config.zero_output_for_mask;
  if (isZeroed) return 'KerasBidirectional';
  // Keras 3 saves the package separately from the name.
  const { classNameMap } = serialization.SerializationMap.getMap();
  const isOfAddons = registered_name === ADDONS + class_name && Object.hasOwn(classNameMap, registered_name);
  return isOfAddons ? registered_name : (CLASSES[class_name] ?? class_name);
}

/** Whether a file of Keras 3 calls the layer with a mask. */
const isCalledWithMask = ({ inbound_nodes = [] }: Saved) =>
  inbound_nodes.some((node) => isRecord(node) && isRecord(node.kwargs) && isSaved(node.kwargs.mask));

const isIdentity = ({ class_name, config }: Saved) => class_name === 'Identity' && 'name' in (config ?? {});

/** TensorFlow.js's `Bidirectional` makes both of its layers, and their names, from one layer. */
function optionsOfBidirectional(saved: Saved, { backward_layer, ...config }: Config): Config {
  const { layer } = config;
  if (!isSaved(layer)) return config;
  const shared = ({ config: { name: _, go_backwards: __, ...options } }: Saved) => JSON.stringify(options);
  if (isSaved(backward_layer) && shared(backward_layer) !== shared(layer)) {
    refuse(saved, 'has a backward layer of other options, which TensorFlow.js does not have');
  }
  const { zero_output_for_mask: _, ...options } = layer.config;
  const name = String(options.name).replace(/^forward_/, '');
  return { ...config, layer: { ...layer, config: { ...options, name } } };
}

/** TensorFlow.js computes in float32 and knows no other sizes of integers than 32 bits. */
export function dtypeOf(dtype: unknown): unknown {
  const policy = isRecord(dtype) && isRecord(dtype.config) ? dtype.config : { name: dtype };
  const name = policy.mode && policy.source_name ? `${policy.mode}_from_${policy.source_name}` : policy.name;
  if (typeof name !== 'string') return name;
  if (name.includes('_from_')) {
    fail('loadModel', `a layer is quantized (${name}), which TensorFlow.js does not have; save the model without`);
  }
  if (name.includes('float')) return 'float32';
  return name.includes('int') ? 'int32' : name;
}

/**
 * Refuses a layer, or one that it wraps, whose class neither TensorFlow.js nor this package has, or which has options that
 * would be lost. `around` is the layer that wraps it.
 */
export function checkKnown(layer: Saved, around?: Saved): void {
  const { classNameMap } = serialization.SerializationMap.getMap();
  const { class_name: className, config } = layer;
  if (!Object.hasOwn(classNameMap, classInTensorFlowJs(layer))) {
    refuse(
      layer,
      'is of a class that neither TensorFlow.js nor this package has; make it known with ' +
        `tf.serialization.registerClass under the name '${className}', or save the model without it`,
    );
  }
  if (isSaved(config?.layer)) checkKnown(config.layer, layer);
  if (config?.zero_output_for_mask && around?.class_name !== 'Bidirectional') {
    refuse(
      layer,
      'gives zeros where masked, which TensorFlow.js does not have; save it with zero_output_for_mask=False',
    );
  }
  const isNamed = config?.name === undefined || NAME_OF_TENSORS.test(String(config.name));
  if (!isNamed)
    refuse(layer, 'has a name that weights cannot have in TensorFlow.js; use Latin letters, digits, -, _ and .');
  if (className === 'Resizing')
    refuse(layer, 'places pixels elsewhere in TensorFlow.js; resize images before the model');
  if (config?.activity_regularizer) {
    refuse(layer, 'has an activity_regularizer, which TensorFlow.js does not have; save the model without it');
  }
  const isOurs = className === 'InstanceNormalization' && classNameMap[className]?.[0] === InstanceNormalization;
  if (isOurs && !('groups' in config) && !('gamma_constraint' in config)) {
    refuse(
      layer,
      "is neither TensorFlow Addons' nor keras_contrib's, by its options; write the class it is and make it known with " +
        'tf.serialization.registerClass',
    );
  }
}
