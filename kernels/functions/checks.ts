/**
 * The checks of everything public, each in one place and with one message: who, the rule, what was received, the way out.
 * Constructors, `build` and the public functions call them; kernels and ops trust their inputs.
 */
import { Tensor } from '@tensorflow/tfjs-core';
import { fail, show } from '../core/errors.ts';
import { toFloat } from '../core/floats.ts';

/** Names that other frameworks, or other layers here, have for an option, in lower case without underscores. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  eps: 'epsilon',
  varianceepsilon: 'epsilon',
  weight: 'gamma',
  scale: 'gamma',
  gain: 'gamma',
  bias: 'beta',
  shift: 'beta',
  offset: 'beta',
  dim: 'axis',
  dims: 'axis',
  axes: 'axis',
  normalizedshape: 'axis',
  numgroups: 'groups',
  ngroups: 'groups',
  runningmean: 'mean',
  movingmean: 'mean',
  runningvar: 'variance',
  runningvariance: 'variance',
  movingvariance: 'variance',
  var: 'variance',
  npoweriterations: 'powerIterations',
  iterations: 'powerIterations',
  iscausal: 'causal',
  usecausalmask: 'causal',
  attnmask: 'mask',
  attentionmask: 'mask',
  dropoutp: 'dropout',
  dropoutrate: 'dropout',
  rate: 'dropout',
  elementwiseaffine: 'gamma',
  affine: 'gamma',
};
const plain = (name: string) => name.toLowerCase().replaceAll('_', '');

/** The message about an unknown option: its name here, if it is known under another one, and the names of all options. */
export function unknownOption(name: string, known: readonly string[]): string {
  const meant = known.find((one) => plain(one) === plain(name)) ?? OTHER_NAMES[plain(name)];
  const way = meant !== undefined && known.includes(meant) ? `it is called ${meant} here; ` : '';
  return `unknown option '${name}'; ${way}the options are ${known.join(', ')}`;
}

/** Names of options, for `checkCall`. A look-up in an object takes a sixth of the time of one in a Set. */
type OptionNames = Readonly<Record<string, true | undefined>>;
export const optionNames = (...names: string[]): OptionNames =>
  Object.assign(Object.create(null), Object.fromEntries(names.map((name) => [name, true])));

/** Checks the options of a public function: one object with names of `known` only, and no further argument. */
export function checkCall(who: string, options: object, known: OptionNames, more: readonly unknown[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) refuseCall(who, options, known, more);
  for (const name in options) if (known[name] === undefined) refuseCall(who, options, known, more);
  if (more.length > 0) refuseCall(who, options, known, more);
}

function refuseCall(who: string, options: unknown, known: OptionNames, more: readonly unknown[]): void {
  const names = Object.keys(known);
  const record = typeof options === 'object' && options !== null ? (options as Record<string, unknown>) : undefined;
  if (!record || Array.isArray(options) || 'dataId' in record) {
    const received = record && 'dataId' in record ? 'a tensor' : show(options);
    fail(
      who,
      `the options must be one object of ${names.join(', ')}; received ${received}; name it, as in {${names[0]}: ...}`,
    );
  }
  // An unknown name whose value is undefined counts as left out.
  const unknown = Object.keys(record).find((name) => record[name] !== undefined && !known[name]);
  if (unknown === 'training') {
    const way = known.variance ? 'give mean and variance for inference, and neither for training' : 'leave it out';
    fail(who, `unknown option 'training'; ${way}; the options are ${names.join(', ')}`);
  }
  if (unknown !== undefined) fail(who, unknownOption(unknown, names));
  if (more.length > 0)
    fail(who, `nothing follows the options; received ${more.length} more; name them: ${names.join(', ')}`);
}

/** Whether a number is finite in float32, in which kernels compute, and does not become 0 or subnormal there. */
const isFloat = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(Math.fround(value)) && (value === 0 || Math.abs(value) >= SMALLEST);
const SMALLEST = 2 ** -126;

export function checkEpsilon(who: string, epsilon: unknown, name = 'epsilon'): number {
  if (typeof epsilon === 'number' && epsilon >= 0 && Number.isFinite(Math.fround(epsilon))) return epsilon;
  return fail(
    who,
    `${name} must be a finite number of at least 0 (of float32); received ${show(epsilon)}; 1e-3 and 1e-5 are usual`,
  );
}

export function checkMomentum(who: string, momentum: unknown): number {
  if (typeof momentum === 'number' && momentum >= 0 && momentum <= 1) return momentum;
  return fail(
    who,
    `momentum, the share of the old value in the moving average, must lie in [0, 1]; received ${show(momentum)}; ` +
      '0.9 to 0.999 are usual (a PyTorch momentum p is 1 - p here)',
  );
}

/** A momentum of a saved model: TensorFlow.js and Keras accept any finite number. */
export function checkAnyMomentum(who: string, name: string, momentum: unknown): number {
  if (Number.isFinite(momentum)) return momentum as number;
  return fail(who, `${name} must be a finite number; received ${show(momentum)}; 0.9 to 0.999 are usual`);
}

export function checkPositiveInteger(who: string, name: string, value: unknown, usual: number): number {
  if (Number.isInteger(value) && (value as number) > 0) return value as number;
  return fail(who, `${name} must be a positive integer; received ${show(value)}; ${usual} is usual`);
}

/** A finite number that is at least `least`. */
export function checkAtLeast(who: string, name: string, value: unknown, least: number, usual: string): number {
  if (isFloat(value) && value >= least) return value;
  return fail(who, `${name} must be a finite number of at least ${least}; received ${show(value)}; ${usual}`);
}

/** An object with no other keys than `known`. */
export function checkKeys(who: string, name: string, given: unknown, known: readonly string[]): void {
  const isRecord = typeof given === 'object' && given !== null && !Array.isArray(given);
  const wrong = isRecord ? Object.keys(given).find((key) => !known.includes(key)) : show(given);
  if (wrong !== undefined) fail(who, `${name} must be an object of ${known.join(', ')}; received ${wrong}`);
}

export function checkBoolean(who: string, name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  return fail(who, `${name} must be true or false; received ${show(value)}`);
}

/** A function, unless it is left out. */
export function checkFunction(who: string, name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function')
    fail(who, `${name} must be a function; received ${show(value)}; leave it out, or give one`);
}

/** gammaOffset, a finite number that is added to gamma: unless it is 0, there must be a gamma. */
export function checkGammaOffset(who: string, offset: unknown, hasGamma: boolean): number {
  if (!isFloat(offset)) fail(who, `gammaOffset must be a finite number; received ${show(offset)}; 0 and 1 are usual`);
  if (offset === 0 || hasGamma) return offset;
  return fail(
    who,
    `gammaOffset is added to gamma, of which there is none; received ${offset}; give gamma, or leave it out`,
  );
}

/** A share of values that are dropped. */
export function checkRate(who: string, name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value < 1) return value;
  return fail(who, `${name} must lie in [0, 1); received ${show(value)}; 0.1 is usual`);
}

export function checkOneOf<T extends string>(who: string, name: string, value: unknown, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T;
  return fail(who, `${name} must be one of ${choices.map((c) => `'${c}'`).join(', ')}; received ${show(value)}`);
}

/** Whether axis 0, the batch, may be named. */
export type BatchAxis = 'with batch' | 'without batch';

/** An axis as given in options, before the rank is known. */
export function checkAxisOption(who: string, axis: unknown, batch: BatchAxis = 'without batch'): number {
  if (!Number.isInteger(axis)) fail(who, `axis must be an integer; received ${show(axis)}; -1 is the last axis`);
  if (axis === 0 && batch === 'without batch')
    fail(who, 'axis 0 is the batch, which has no parameters; received 0; -1 is the last axis');
  return axis as number;
}

/** As `checkAxisOption`, for one axis or a list, of which a copy is returned: the caller may change its own. */
export function checkAxisList(who: string, axis: unknown, batch?: BatchAxis): number | number[] {
  if (!Array.isArray(axis)) return checkAxisOption(who, axis, batch);
  if (axis.length === 0) fail(who, 'axis must name at least one axis; received []; -1 is the last axis');
  return axis.map((one) => checkAxisOption(who, one, batch));
}

/** The axis counted from the front. */
export function checkAxis(who: string, axis: number, rank: number, batch?: BatchAxis): number {
  const front = checkAxisOption(who, axis, batch) < 0 ? axis + rank : axis;
  const first = batch === 'with batch' ? 0 : 1;
  if (front >= first && front < rank) return front;
  const range = `${first} to ${rank - 1} or -${rank - first} to -1`;
  const rule = `axis must lie within the ${rank} axes of the input${first === 0 ? '' : ' and not be the batch'}`;
  return fail(who, `${rule}; received ${axis}; use ${range}`);
}

/** Axes counted from the front, in their order. */
export function checkAxes(who: string, axes: number | readonly number[], rank: number, batch?: BatchAxis): number[] {
  if (typeof axes === 'number') return [checkAxis(who, axes, rank, batch)];
  const front = [checkAxisList(who, axes, batch)].flat().map((axis) => checkAxis(who, axis, rank, batch));
  if (new Set(front).size < front.length) {
    fail(who, `axis must not name an axis twice; received ${show(axes)} for an input of ${rank} axes`);
  }
  return front;
}

/** Sorts axes, as `withLast` and `moving` take them. Sorting a single one takes as long as all other checks of it. */
export const ascending = (axes: number[]): number[] => axes.sort((a, b) => a - b);

export function checkRank(who: string, rank: number): void {
  if (rank < 2 || rank > 6) {
    fail(
      who,
      `the input must have 2 to 6 axes, the batch among them; received ${rank}; add or merge axes with reshape`,
    );
  }
}

/** Checks an input, which may be empty; gives it as float32. */
export function checkInput(who: string, x: unknown): Tensor {
  if (!(x instanceof Tensor))
    fail(who, `the input must be one tensor; received ${Array.isArray(x) ? 'an array' : show(x)}`);
  checkRank(who, x.rank);
  return asFloat(who, 'the input', x);
}

function asFloat(who: string, name: string, t: Tensor): Tensor {
  if (t.isDisposed) fail(who, `${name} has been disposed of; return it from its tf.tidy, or tf.keep it`);
  if (t.dtype === 'float32' || t.dtype === 'int32' || t.dtype === 'bool') return toFloat(t);
  return fail(who, `${name} must be numeric; received dtype ${t.dtype}; cast it to 'float32'`);
}

/** The input of a layer that takes one: TensorFlow.js hands it over alone or as a list. */
export const checkOneInput = (who: string, inputs: Tensor | Tensor[]): Tensor =>
  checkInput(who, Array.isArray(inputs) && inputs.length === 1 ? inputs[0] : inputs);

/** A kernel: the weights between inputs and output units, in float32. */
export function checkKernel(who: string, kernel: unknown): Tensor {
  if (!(kernel instanceof Tensor)) fail(who, `the kernel must be a tensor; received ${show(kernel)}`);
  if (kernel.rank < 2 || kernel.rank > 6 || kernel.size === 0) {
    fail(who, `the kernel must have 2 to 6 axes and hold something; received the shape [${kernel.shape}]`);
  }
  if (kernel.dtype !== 'float32') fail(who, `the kernel must be float32; received ${kernel.dtype}; cast it`);
  return kernel;
}

/** The axes of a kernel's output units counted from the front, ascending. A kernel has no batch: axis 0 may be one. */
export function checkUnitAxes(who: string, axis: number | readonly number[], rank: number): number[] {
  const given = Array.isArray(axis) ? axis : [axis];
  const front = given.map((one) => (one < 0 ? one + rank : one)).sort((a, b) => a - b);
  const distinct = new Set(front).size === front.length && front.length > 0 && front.length < rank;
  if (distinct && front.every((one) => Number.isInteger(one) && one >= 0 && one < rank)) return front;
  return fail(
    who,
    `axis, that of the output units, must name one or more, not all, of the ${rank} axes of the kernel; ` +
      `received ${show(axis)}; -1 is usual`,
  );
}

/** The size of a known axis. */
export function checkSize(who: string, shape: readonly (number | null)[], axis: number): number {
  const size = shape[axis];
  if (Number.isInteger(size)) return size as number;
  const received = shape.map((d) => d ?? 'null').join(', ');
  return fail(who, `axis ${axis} must have a known size; received the shape [${received}]; give inputShape in full`);
}

/** The number of groups; -1 is one per channel. */
export function checkGroups(who: string, groups: number, channels: number): number {
  if (groups === -1) return channels;
  if (Number.isInteger(groups) && groups > 0 && channels % groups === 0) return groups;
  const divisors = Array.from({ length: channels }, (_, i) => i + 1).filter((d) => channels % d === 0);
  const some = divisors.length > 12 ? [...divisors.slice(0, 11), '...'] : divisors;
  return fail(
    who,
    `groups (${show(groups)}) must divide the channels (${channels}); use ${some.join(', ')} or -1 (one per channel)`,
  );
}

/** A parameter of this many values, one for each `unit`, in any shape of that size, as float32. */
export function checkParameter(
  who: string,
  name: string,
  value: Tensor | undefined,
  size: number,
  unit = 'channel',
): Tensor | undefined {
  if (value === undefined || value === null) return undefined;
  const t = checkTensor(who, name, value);
  if (t.size === size) return t;
  const rule = size === 1 ? `${name} must hold one value` : `${name} must hold ${size} values, one per ${unit}`;
  return fail(who, `${rule}; received the shape [${t.shape}]; reshape or tile it`);
}

/** A tensor of any shape, as float32. */
export function checkTensor(who: string, name: string, value: unknown): Tensor {
  if (value instanceof Tensor) return asFloat(who, name, value);
  return fail(who, `${name} must be a tensor; received ${show(value)}; make one with tf.tensor`);
}

/** A second input of the shape of the first, as float32. */
export function checkSameShape(who: string, name: string, value: unknown, x: Tensor): Tensor {
  const t = checkTensor(who, name, value);
  if (t.rank === x.rank && t.shape.every((size, axis) => size === x.shape[axis])) return t;
  const rule = `${name} must have the shape of the input, [${x.shape}]`;
  return fail(who, `${rule}; received [${t.shape}]; nothing is broadcast: reshape or tile it, or add it with tf.add`);
}
