/** The operation that stands in graphs for a normalization, and what runs it: the functions of this package. */
import { div, fill, reshape, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { batchNorm, groupNorm, instanceNorm, layerNorm, rmsNorm } from '../../../kernels/functions/normalization.ts';
import type { GraphForm, Match } from './graph-match.ts';
import { type Attribute, plainName } from './graph-node.ts';

/** The name of the operation. It says which contract its attributes follow. */
export const OPERATION = 'TfjsNormalizations1';

const FORMS: readonly GraphForm[] = ['layer', 'batch', 'instance', 'group', 'rootMeanSquare', 'length'];
const PLACEMENTS: readonly Match['placement'][] = ['inside', 'outside', 'floor'];

/** The attributes of the node that takes the place of a normalization, and its inputs. */
export function nodeFor({ form, axes, epsilon, placement, x, gamma, beta }: Match): {
  input: string[];
  attr: Record<string, Attribute>;
} {
  const input = [x, gamma, beta].filter((name) => name !== undefined).map(plainName);
  const attr = {
    form: { i: FORMS.indexOf(form) },
    placement: { i: PLACEMENTS.indexOf(placement) },
    axes: { list: { i: axes } },
    epsilon: { f: epsilon },
    has_gamma: { i: Number(gamma !== undefined) },
    has_beta: { i: Number(beta !== undefined) },
  };
  return { input, attr };
}

/** What TensorFlow.js hands over: `GraphNode` of tfjs-converter. */
export interface Call {
  readonly inputs: readonly Tensor[];
  readonly attrs: Readonly<Record<string, unknown>>;
}

/** Runs the operation. */
export function runOperation({ inputs, attrs }: Call): Tensor {
  const [x, ...parameters] = inputs as [Tensor, ...Tensor[]];
  const { form, placement, axes, epsilon, has_gamma, has_beta } = attrs as Readonly<Record<string, number>>;
  const gamma = has_gamma ? parameters[0] : undefined;
  const beta = has_beta ? parameters.at(-1) : undefined;
  const options = {
    ...(gamma && { gamma }),
    ...(beta && { beta }),
    axis: axes as unknown as number[],
    epsilon: epsilon as number,
    epsilonPlacement: PLACEMENTS[placement as number] as Match['placement'],
  };
  return tidy(() => RUN[FORMS[form as number] as GraphForm](x, options));
}

interface Options {
  readonly gamma?: Tensor;
  readonly beta?: Tensor;
  readonly axis: readonly number[];
  readonly epsilon: number;
  readonly epsilonPlacement: Match['placement'];
}

/** For functions that have fixed axes, those of batch, instance and group normalization. */
const withoutAxes = ({ axis: _, epsilonPlacement: __, ...options }: Options) => options;

const RUN: Readonly<Record<GraphForm, (x: Tensor, options: Options) => Tensor>> = {
  layer: (x, { epsilonPlacement: _, ...options }) => layerNorm(x, options),
  batch: (x, options) => batchNorm(x, withoutAxes(options)).y,
  instance: (x, options) => instanceNorm(x, withoutAxes(options)),
  group: (x, options) => {
    const [batch = 0] = x.shape;
    const [groups = 0, c = 0] = x.shape.slice(-2);
    const flat = reshape(x, [batch, x.shape.slice(1, -2).reduce((a, b) => a * b, 1), groups * c]);
    return reshape(groupNorm(flat, { ...withoutAxes(options), groups }), x.shape);
  },
  rootMeanSquare: rmsNorm,
  length: (x, { gamma, epsilon, ...options }) => {
    // The length is the root mean square times the root of the number of values.
    const sizes = options.axis.map((axis) => x.shape[axis] as number);
    const n = sizes.reduce((a, b) => a * b, 1);
    const scale = gamma ? div(gamma, Math.sqrt(n)) : fill(sizes, 1 / Math.sqrt(n));
    const isInside = options.epsilonPlacement === 'inside';
    return rmsNorm(x, { ...options, gamma: scale, epsilon: epsilon / (isInside ? n : Math.sqrt(n)) });
  },
};
