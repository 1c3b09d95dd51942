/** Names of weights: those that Keras saved, as the layers of TensorFlow.js call theirs. */
import type { io } from '@tensorflow/tfjs-core';
import { fail } from '../kernels/checks.ts';
import { isModel, isSaved, nameOf, type Saved } from './keras-saved.ts';

type Specs = io.WeightsManifestEntry[];

/** What the names of a layer's weights may hold: the layers it wraps, from outside in. */
interface Chain {
  readonly inner: ReadonlySet<string>;
  /** The class of the innermost. */
  readonly className: string;
}

/** Refuses what the converter writes of a .keras file: layers/dense/vars/0 may be of any layer. */
export function checkNames(specs: Specs): void {
  if (specs.some(({ name }) => /\/vars\/\d+$/.test(name))) {
    fail(
      'loadModel',
      'the weights have lost their names, as the converter writes them of a .keras file; save the model as an .h5 file and ' +
        'convert that, or take save_keras_model of tensorflowjs.converters',
    );
  }
}

/** Without the names of models around a layer, and of layers within it. */
export function renamedWeights(specs: Specs, model: Saved): Specs {
  const { models, chains } = namesIn(model);
  const rename = (name: string): string => {
    const parts = name.split('/');
    const isAround = (part = '') => models.has(part) && !chains.has(part);
    while (parts.length > 2 && isAround(parts[0])) parts.shift();
    const chain = chains.get(parts[0] as string);
    if (!chain) return name;
    const last = parts.length - 1;
    if (chain.className === 'DepthwiseConv2D' && parts[last] === 'kernel') parts[last] = 'depthwise_kernel';
    return parts.filter((part, i) => i === 0 || i === last || !chain.inner.has(part)).join('/');
  };
  const taken = new Set<string>();
  return specs.map((spec) => {
    const name = rename(spec.name);
    if (taken.has(name)) {
      fail(
        'loadModel',
        `two weights are called '${name}' (one of them '${spec.name}'); give the layers names of their own`,
      );
    }
    taken.add(name);
    return name === spec.name ? spec : { ...spec, name };
  });
}

function namesIn(model: Saved): { models: Set<string>; chains: Map<string, Chain> } {
  const models = new Set<string>();
  const chains = new Map<string, Chain>();
  const visit = (saved: Saved): void => {
    const { layer: wrapped, layers } = saved.config;
    const within = Array.isArray(layers) ? (layers as Saved[]) : isSaved(wrapped) && isModel(wrapped) ? [wrapped] : [];
    if (within.length > 0) {
      models.add(nameOf(saved));
      for (const layer of within) visit(layer);
      return;
    }
    const inner = new Set<string>();
    let innermost = saved;
    // The two layers of Bidirectional keep their names.
    while (isSaved(innermost.config.layer) && !saved.class_name.endsWith('Bidirectional')) {
      innermost = innermost.config.layer;
      inner.add(nameOf(innermost));
    }
    chains.set(nameOf(saved), { inner, className: innermost.class_name });
  };
  visit(model);
  return { models, chains };
}
