/** Checks that the layers of a loaded model get the masks that they have in Keras. */
import type { LayersModel, layers } from '@tensorflow/tfjs-layers';
import { fail } from '../../../kernels/core/errors.ts';
import { maskOriginOf, receivesMask } from '../../base/mask.ts';
import { MASK_TAKERS } from './graph.ts';

type Layer = layers.Layer;

/**
 * Refuses a layer that has a mask in Keras and would have none in TensorFlow.js, or the other way round. `masked` says, by the names of
 * layers, whether the file gives them a mask; it need not have all layers.
 */
export function checkMask(layer: Layer, masked: ReadonlyMap<string, boolean>): void {
  const className = layer.getClassName();
  const refuse = (message: string) =>
    fail('loadModel', `the layer '${layer.name}' (${className}) ${message}; save the model without masks`);
  const carries = receivesMask(layer);
  const expected = masked.get(layer.name);
  if (expected && !carries) refuse('has a mask in the file, which TensorFlow.js does not bring so far');
  if (expected === false && carries) refuse('has no mask in the file, and would get one in TensorFlow.js');
  if (!USING_MASKS.includes(className)) return;
  if (losesMask(layer)) refuse('has a mask of the model before it, which TensorFlow.js does not bring so far');
  if (className === AVERAGING && carries) refuse('has a mask, which it ignores in TensorFlow.js');
}

const AVERAGING = 'GlobalAveragePooling1D';
const USING_MASKS = [...MASK_TAKERS, 'KerasBidirectional', 'KerasGlobalAveragePooling1D'];

/** Whether a model before `layer` would pass a mask on in Keras; models of TensorFlow.js pass none on. */
function losesMask(layer: Layer, seen = new Set<Layer>()): boolean {
  if (seen.has(layer)) return false;
  seen.add(layer);
  return inboundLayers(layer).some((before) =>
    'layers' in before ? givesMask(before as LayersModel) : before.supportsMasking && losesMask(before, seen),
  );
}

const inboundLayers = ({ inboundNodes }: Layer) => inboundNodes.flatMap(({ inboundLayers }) => inboundLayers);

/** Whether a mask gets into the model, or to one of its outputs. */
const givesMask = (model: LayersModel): boolean =>
  receivesMask(model) || model.outputs.some((output) => maskOriginOf(output));
