/** Whether every layer of a model has the mask in Keras that it has in TensorFlow.js, and does the same with it. */
import { LayersModel, type layers, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { maskOriginOf, receivesMask } from '../../base/mask.ts';
import { type Described, refuse } from './classes.ts';

type Layer = layers.Layer;

/** Classes that in Keras pass on the mask of their input; others end it. */
const PASSING = [
  ...['Activation', 'AlphaDropout', 'Dense', 'Dropout', 'ELU', 'GaussianDropout', 'GaussianNoise', 'LeakyReLU'],
  ...['PReLU', 'ReLU', 'Rescaling', 'SpatialDropout1D', 'QKNormAttention', 'MultiHeadAttention', 'Attention'],
  ...['BatchNormalization', 'LayerNormalization', 'GroupNormalization', 'RMSNormalization', 'InstanceNormalization'],
  ...['BatchInstanceNormalization', 'SwitchableNormalization', 'BatchRenormalization', 'MeanOnlyBatchNormalization'],
  ...['UnitNormalization', 'Normalization', 'AddLayerNormalization', 'AddRMSNormalization'],
  ...['AdaptiveInstanceNormalization', 'AdaptiveLayerNormalization', 'AdaptiveLayerNormalizationZero'],
  ...['FeaturewiseLinearModulation', 'SpatiallyAdaptiveNormalization'],
];
/** Classes that use a mask in Keras, and not, or otherwise, in TensorFlow.js. */
const DIFFERING = [
  ...['Add', 'Average', 'Concatenate', 'Dot', 'Maximum', 'Minimum', 'Multiply'],
  ...['ConditionalBatchNormalization', 'GlobalAveragePooling1D', 'Softmax', 'TimeDistributed'],
];
/** Classes of which each input has a mask of its own. */
const ATTENTION = ['Attention', 'MultiHeadAttention', 'QKNormAttention'];
const REMEDY = 'save a model without masks';

/** Refuses a layer of the model whose mask is another in Keras. */
export function checkMasks(model: LayersModel): void {
  const makesAny = model.layers.some(makesMask);
  for (const layer of model.layers) {
    for (const { inputTensors, inboundLayers } of layer.inboundNodes) {
      if (inboundLayers.length > 0) checkCall(layer as Described, inputTensors, makesAny);
    }
  }
}

function checkCall(layer: Described, inputs: readonly SymbolicTensor[], makesAny: boolean): void {
  const masked = inputs.map(isMaskedInKeras);
  const isMasked = masked.includes(true);
  if (isMasked && (layer instanceof LayersModel || DIFFERING.includes(layer.getClassName()))) {
    refuse(layer, `has a mask, which it uses otherwise in Keras; ${REMEDY}`);
  }
  if (ATTENTION.includes(layer.getClassName())) {
    const first = maskOriginOf(inputs[0]);
    const brought = inputs.slice(0, 3).map((input) => first !== undefined && maskOriginOf(input) === first);
    if (brought.some((isBrought, i) => isBrought !== masked[i])) refuse(layer, `has other masks in Keras; ${REMEDY}`);
    return;
  }
  const isRecurrent = recurrentOf(layer) !== undefined;
  const uses = ['BatchNormalization', 'KerasGlobalAveragePooling1D'];
  if (!isRecurrent && !uses.includes(layer.getClassName())) return;
  if (isMasked && !receivesMask(layer))
    refuse(layer, `has a mask in Keras, which TensorFlow.js does not bring so far; ${REMEDY}`);
  // TensorFlow.js hands a mask also to recurrent layers after those at which it ends, except where loadModel has seen to it.
  const isKept = isRecurrent && makesAny && !Object.hasOwn(layer, 'apply');
  if (!isMasked && (isKept || receivesMask(layer))) {
    refuse(layer, `is given a mask by TensorFlow.js that it has not in Keras; ${REMEDY}`);
  }
  if (isMasked && layer.getClassName() === 'Bidirectional' && recurrentOf(layer)?.returnSequences) {
    refuse(layer, `repeats outputs where masked, which are zeros in Keras; use returnSequences: false, or ${REMEDY}`);
  }
}

/** The recurrent layer that a layer is or holds. */
const recurrentOf = (layer: Described): Described | undefined =>
  [layer, layer.forwardLayer, layer.layer].find((one) => one && 'cell' in one);

const makesMask = (layer: Layer): boolean =>
  layer.getClassName() === 'Masking' || (layer as Described).maskZero === true;

function isMaskedInKeras({ sourceLayer, inputs, outputTensorIndex = 0 }: SymbolicTensor): boolean {
  const layer = sourceLayer as Described;
  const [input] = inputs;
  if (!input) return false;
  if (makesMask(layer)) return true;
  const recurrent = recurrentOf(layer);
  const passes = recurrent
    ? recurrent.returnSequences === true && outputTensorIndex === 0
    : PASSING.includes((layer.layer ?? layer).getClassName()) && !isGate(layer, outputTensorIndex);
  return passes && isMaskedInKeras(input);
}

/** A gate has no mask, also where y beside it has one. */
const isGate = (layer: Described, output: number): boolean =>
  layer.getClassName() === 'AdaptiveLayerNormalizationZero' && output === 1;
