/** A model as the config.json of a file of Keras 3: its layers, and which of them is called on what. */
import { serialization } from '@tensorflow/tfjs-core';
import { LayersModel, type layers, Sequential, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { argumentInGraph } from '../../base/call-arguments.ts';
import { isRegistered } from '../../base/register.ts';
import { trainingInGraph } from '../../base/training.ts';
import type { Config, Reference } from '../../models/keras/saved.ts';
import { MultiHeadAttention } from '../../multi-head-attention.ts';
import { type Described, refuse } from './classes.ts';
import { type KerasObject, layerInKeras } from './options.ts';
import { checkMasks } from './save-masks.ts';

type Layer = layers.Layer;
type Call = Layer['inboundNodes'][number];

/** The whole of a model, which must be built. */
export function modelInKeras(model: LayersModel): KerasObject {
  checkNotShared(model);
  return modelWithin(model);
}

function modelWithin(model: LayersModel): KerasObject {
  checkMasks(model);
  const { Functional } = serialization.SerializationMap.getMap().classNameMap;
  if (![LayersModel, Sequential, Functional?.[0]].some((known) => known === model.constructor)) {
    refuse(model, 'is of a class of your own, which Keras does not know; make it by tf.model');
  }
  // Where the model is trainable nothing is written: Keras would thaw the layers that are frozen.
  const { name, trainable } = model;
  const head: Config = trainable ? { name } : { name, trainable };
  const written = model.layers.map((layer) => {
    checkCalls(layer);
    return layer instanceof LayersModel ? modelWithin(layer) : layerInKeras(layer as Described);
  });
  return model instanceof Sequential ? sequential(model, head, written) : functional(model, head, written);
}

function sequential(model: Sequential, head: Config, layers: readonly KerasObject[]): KerasObject {
  const [{ shape, dtype }] = model.inputs as [SymbolicTensor];
  // Keras builds the model when it reads the layer of its input, which TensorFlow.js does not list unless it was added.
  const input = {
    module: 'keras.layers',
    class_name: 'InputLayer',
    config: { name: `${model.name}_input`, dtype, batch_shape: shape },
    registered_name: null,
  };
  const hasInput = layers[0]?.class_name === 'InputLayer';
  return {
    module: 'keras',
    class_name: 'Sequential',
    config: { ...head, layers: hasInput ? layers : [input, ...layers] },
    registered_name: null,
  };
}

function functional(model: LayersModel, head: Config, written: readonly KerasObject[]): KerasObject {
  const called = written.map((object, i) => {
    const layer = model.layers[i] as Layer;
    const calls = callsWithin(model, layer).filter(({ inboundLayers }) => inboundLayers.length > 0);
    return { ...object, name: layer.name, inbound_nodes: calls.map((call) => callInKeras(model, call)) };
  });
  // A list of one would make of it in Keras a model that takes and gives lists.
  const ends = (tensors: readonly SymbolicTensor[]) => {
    const references = tensors.map((tensor) => endReference(model, tensor));
    return references.length === 1 ? references[0] : references;
  };
  return {
    module: 'keras.src.models.functional',
    class_name: 'Functional',
    config: { ...head, layers: called, input_layers: ends(model.inputs), output_layers: ends(model.outputs) },
    registered_name: null,
  };
}

/** The calls of a layer in the graph of a model; those of other models that use the layer are not among them. */
const callsWithin = (model: LayersModel, layer: Layer): Call[] =>
  layer.inboundNodes.filter((_, i) => model.containerNodes.has(`${layer.name}_ib-${i}`));

function callInKeras(model: LayersModel, { inputTensors, outboundLayer }: Call): Config {
  const [first, ...others] = inputTensors.map((tensor) => ({
    class_name: '__keras_tensor__',
    config: { shape: tensor.shape, dtype: tensor.dtype, keras_history: reference(model, tensor) },
  }));
  if (outboundLayer instanceof MultiHeadAttention) {
    const [value, key, attention_mask] = others;
    const isCausal = argumentInGraph(outboundLayer, 'useCausalMask');
    const masks = { ...(attention_mask && { attention_mask }), ...(isCausal ? { use_causal_mask: true } : {}) };
    return { args: [first, value, ...(key ? [key] : [])], kwargs: masks };
  }
  if (others.length === 0) return { args: [first], kwargs: {} };
  // TensorFlow.js lists the states that a recurrent layer starts from among its inputs.
  const takesStates = 'cell' in outboundLayer || 'forwardLayer' in outboundLayer;
  return takesStates
    ? { args: [first], kwargs: { initial_state: others } }
    : { args: [[first, ...others]], kwargs: {} };
}

/** The layer that a tensor comes from, the number of its call among those in this model, and which of the outputs it is. */
function reference(model: LayersModel, { sourceLayer: layer, nodeIndex, tensorIndex }: SymbolicTensor): Reference {
  const call = layer.inboundNodes[nodeIndex as number] as Call;
  return [layer.name, callsWithin(model, layer).indexOf(call), tensorIndex as number];
}

/** The same for inputs and outputs of the model, where Keras counts a model's own graph as its first call, if it is no Sequential. */
function endReference(model: LayersModel, tensor: SymbolicTensor): Reference {
  const [name, call, index] = reference(model, tensor);
  const { sourceLayer: layer } = tensor;
  return [name, layer instanceof LayersModel && !(layer instanceof Sequential) ? call + 1 : call, index];
}

/** Refuses arguments of calls that are lost. TensorFlow.js does not use `training` either, except where a layer asks for it. */
function checkCalls(layer: Layer): void {
  const kept = ['training', 'initialState', ...(layer instanceof MultiHeadAttention ? ['useCausalMask'] : [])];
  for (const { callArgs = {} } of layer.inboundNodes) {
    const name = Object.keys(callArgs).find((name) => !kept.includes(name) && callArgs[name] != null);
    if (name)
      refuse(layer, `is called with the argument ${name}, which a file of Keras does not hold; call it without`);
  }
  const asks = isRegistered(layer.constructor) || Object.hasOwn(layer, 'call');
  if (asks && trainingInGraph(layer) !== undefined) {
    refuse(
      layer,
      `is called with training: ${trainingInGraph(layer)} in the graph, which Keras overrules; call it without`,
    );
  }
}

/** Keras would give a layer that two models hold, or a layer and a model, to each of them anew. */
function checkNotShared(model: LayersModel): void {
  const holders = new Map<Layer, string>();
  const visit = (holder: Described): void => {
    const { layer, cell, cells, forwardLayer, backwardLayer } = holder;
    const own = forwardLayer
      ? [forwardLayer, backwardLayer]
      : ((holder as unknown as LayersModel).layers ?? cells ?? [layer ?? cell]);
    for (const one of own as (Described | undefined)[]) {
      if (!one) continue;
      const other = holders.get(one);
      if (other !== undefined) {
        refuse(
          one,
          `is shared by '${other}' and '${holder.name}', and Keras would make two of it; make a layer for each`,
        );
      }
      holders.set(one, holder.name);
      visit(one);
    }
  };
  visit(model as unknown as Described);
}
