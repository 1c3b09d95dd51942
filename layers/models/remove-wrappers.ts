/**
 * Takes wrappers off a model: makes a new model of the wrapped layers, with the normalized kernels. TensorFlow.js loads it without this
 * package.
 */
import { serialization, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { LayersModel, type LayerVariable, type layers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';
import { lastPartOfName } from '../base/inner-layer.ts';
import type { KernelWrapper } from '../base/kernel-wrapper.ts';
import { deepCopy } from '../base/options.ts';
import { SpectralNormalization } from '../spectral-normalization.ts';
import { WeightNormalization } from '../weight-normalization.ts';
import { WeightStandardization } from '../weight-standardization.ts';
import { AddonsSpectralNormalization, AddonsWeightNormalization } from './tensorflow-addons.ts';

type Layer = layers.Layer;
type Config = serialization.ConfigDict;
/** A wrapper, known by its members, since it may be of another copy of this package, which has other classes. */
type Wrapper = Layer & Pick<KernelWrapper, 'layer' | 'effectiveKernels'>;

/**
 * A model with the same predictions and without weight normalization, which TensorFlow.js loads without this package.
 *
 *     w = g v / ||v||     becomes the kernel itself
 *
 * @param model a model, whose layers, also those within models, `timeDistributed` and `bidirectional`, may be wrapped,
 *   by any copy of this package
 * @returns a new model, not compiled, with layers of the names that the wrappers had; the model given stays as it is
 * @throws if model is no model, or has no layer wrapped in {@link WeightNormalization}
 * @see {@link WeightNormalization} for the paper
 * @example
 * ```js
 * const model = tf.sequential({layers: [
 *   weightNormalization({layer: tf.layers.dense({units: 2}), inputShape: [4]}),
 * ]});
 * const plain = removeWeightNormalization(model);
 * plain.layers[0].getClassName(); // 'Dense'
 * tf.sub(plain.predict(tf.ones([1, 4])), model.predict(tf.ones([1, 4]))); // [[0, 0]]
 * ```
 */
export const removeWeightNormalization = (model: LayersModel): LayersModel =>
  remove('removeWeightNormalization', model, [WeightNormalization.className, AddonsWeightNormalization.className]);

/**
 * A model with the same predictions and without spectral normalization, which TensorFlow.js loads without this package.
 *
 *     w = W / sigma     becomes the kernel itself
 *
 * @param model a model, whose layers, also those within models, `timeDistributed` and `bidirectional`, may be wrapped,
 *   by any copy of this package
 * @returns a new model, not compiled, with layers of the names that the wrappers had; the model given stays as it is
 * @throws if model is no model, or has no layer wrapped in {@link SpectralNormalization}
 * @see {@link SpectralNormalization} for the paper
 * @example
 * ```js
 * const model = tf.sequential({layers: [
 *   spectralNormalization({layer: tf.layers.dense({units: 2}), inputShape: [4]}),
 * ]});
 * const plain = removeSpectralNormalization(model);
 * plain.layers[0].getClassName(); // 'Dense'
 * tf.sub(plain.predict(tf.ones([1, 4])), model.predict(tf.ones([1, 4]))); // [[0, 0]]
 * ```
 */
export const removeSpectralNormalization = (model: LayersModel): LayersModel =>
  remove('removeSpectralNormalization', model, [
    SpectralNormalization.className,
    AddonsSpectralNormalization.className,
  ]);

/**
 * A model with the same predictions and without weight standardization, which TensorFlow.js loads without this package.
 *
 *     w = (v - mean) / sqrt(variance + epsilon)     becomes the kernel itself
 *
 * @param model a model, whose layers, also those within models, `timeDistributed` and `bidirectional`, may be wrapped,
 *   by any copy of this package
 * @returns a new model, not compiled, with layers of the names that the wrappers had; the model given stays as it is
 * @throws if model is no model, or has no layer wrapped in {@link WeightStandardization}
 * @see {@link WeightStandardization} for the paper
 * @example
 * ```js
 * const model = tf.sequential({layers: [
 *   weightStandardization({layer: tf.layers.dense({units: 2}), inputShape: [4]}),
 * ]});
 * const plain = removeWeightStandardization(model);
 * plain.layers[0].getClassName(); // 'Dense'
 * tf.sub(plain.predict(tf.ones([1, 4])), model.predict(tf.ones([1, 4]))); // [[0, 0]]
 * ```
 */
export const removeWeightStandardization = (model: LayersModel): LayersModel =>
  remove('removeWeightStandardization', model, [WeightStandardization.className]);

function remove(who: string, model: LayersModel, classNames: readonly string[]): LayersModel {
  if (!(model instanceof LayersModel)) fail(who, `model must be a model of layers; received ${show(model)}`);
  const wrappers = wrappersIn(model, classNames);
  if (wrappers.length === 0) fail(who, `the model '${model.name}' has no layer wrapped in ${classNames[0]}`);
  const [cls, fromConfig] = serialization.SerializationMap.getMap().classNameMap[model.getClassName()] as MapEntry;
  const config = withoutWrappers(deepCopy(model.getConfig()), classNames) as Config;
  const plain = fromConfig(cls, config, {}, true) as unknown as LayersModel;
  tidy(() => plain.loadWeights(plainWeights(model, wrappers)));
  return plain;
}

type MapEntry = [
  serialization.SerializableConstructor<serialization.Serializable>,
  (cls: unknown, config: Config, customObjects: Config, fastWeightInit: boolean) => serialization.Serializable,
];

/** The wrappers among the layers of a model, and within its layers. */
function wrappersIn(layer: Layer, classNames: readonly string[]): Wrapper[] {
  // By name: another copy of this package has other classes.
  if ('effectiveKernels' in layer && classNames.includes(layer.getClassName())) return [layer as Wrapper];
  const { layers = [], forwardLayer, backwardLayer, layer: inner } = layer as unknown as Containing;
  // `bidirectional` has two copies of the layer that it was given, which itself is not used.
  const within = forwardLayer && backwardLayer ? [forwardLayer, backwardLayer] : [...layers, ...(inner ? [inner] : [])];
  return within.flatMap((one) => wrappersIn(one, classNames));
}

interface Containing {
  readonly layers?: readonly Layer[];
  readonly layer?: Layer;
  readonly forwardLayer?: Layer;
  readonly backwardLayer?: Layer;
}

/** A saved config in which the wrapped layers replace their wrappers, under the names of the wrappers. */
function withoutWrappers(saved: unknown, classNames: readonly string[]): unknown {
  if (Array.isArray(saved)) return saved.map((one) => withoutWrappers(one, classNames));
  if (typeof saved !== 'object' || saved === null) return saved;
  const { className: own, config, ...rest } = saved as Config;
  if (!classNames.includes(own as string)) {
    return Object.fromEntries(Object.entries(saved).map(([key, value]) => [key, withoutWrappers(value, classNames)]));
  }
  const { layer, name, trainable, batchInputShape, dtype } = config as Config;
  const inner = layer as { className: string; config: Config };
  const taken: Config = { name: name as string, trainable: trainable === true && inner.config.trainable === true };
  if (batchInputShape) Object.assign(taken, { batchInputShape, dtype });
  return { ...rest, className: inner.className, config: { ...inner.config, ...taken } };
}

/** All weights of the model by name, with the normalized kernels and without the weights that only wrappers have. */
function plainWeights(model: LayersModel, wrappers: readonly Wrapper[]): Record<string, Tensor> {
  const own = new Set<LayerVariable>();
  const kernels: Record<string, Tensor> = {};
  for (const wrapper of wrappers) {
    // Compared by value, since the wrapper may list the layer's weights under names of its own.
    const variables = new Set(wrapper.layer.weights.map((weight) => weight.read()));
    for (const weight of wrapper.weights) if (!variables.has(weight.read())) own.add(weight);
    for (const [name, kernel] of Object.entries(wrapper.effectiveKernels())) {
      const isKernel = (weight: LayerVariable) => variables.has(weight.read()) && lastPartOfName(weight) === name;
      kernels[(wrapper.weights.find(isKernel) as LayerVariable).originalName] = kernel;
    }
  }
  const kept = model.weights.filter((weight) => !own.has(weight));
  return { ...Object.fromEntries(kept.map((weight) => [weight.originalName, weight.read()])), ...kernels };
}
