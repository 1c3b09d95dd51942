/** y = (x - mean) * scale + shift with a value per channel or per example and channel, in the fewest ops. */
import { type Call, sizeOf, type Value } from './backend.ts';

type Optional = Value | undefined;

export interface Parameters {
  readonly mean?: Optional;
  readonly scale?: Optional;
  readonly shift?: Optional;
}

/** One op for each parameter. x is freed if the call made it. */
export function apply(call: Call, x: Value, { mean, scale, shift }: Parameters): Value {
  let y = x;
  if (mean) y = call.replace(y, call.sub(y, mean));
  if (scale) y = call.replace(y, call.mul(y, scale));
  if (shift) y = call.replace(y, call.add(y, shift));
  return y;
}

/** The size from which on one batch normalization op, with a change of shape, takes less time than two simple ops. */
const LARGE = 2 ** 20;

/** As `apply`, for parameters [c]: large tensors take the op of batch normalization in inference. */
export function applyPerChannel(call: Call, x: Value, parameters: Parameters, c: number): Value {
  const { mean, scale, shift } = parameters;
  const ops = [mean, scale, shift].filter((p) => p !== undefined).length;
  if (ops < 2 || (!isFourAxes(x, c) && sizeOf(x.shape) < LARGE)) return apply(call, x, parameters);
  const given = { mean, scale, shift, variance: undefined };
  const shaped = fourAxes(call, x, c);
  const y = batchNormalize(call, shaped, given, c, 0);
  call.free(x, shaped);
  return y;
}

/** x as the batch normalization ops take it. */
export function fourAxes(call: Call, x: Value, c: number): Value {
  return isFourAxes(x, c) ? x : call.reshape(x, [sizeOf(x.shape) / c, 1, 1, c]);
}
const isFourAxes = ({ shape }: Value, c: number) => shape.length === 4 && shape[3] === c;

/** Batch normalization with given statistics; x has the shape that `fourAxes` gives, parameters are [c]. */
export function batchNormalize(
  call: Call,
  x: Value,
  { mean, variance, scale, shift }: Parameters & { readonly variance: Optional },
  c: number,
  epsilon: number,
): Value {
  const zeros = () => call.constant(new Float32Array(c));
  const ones = () => call.ones([c]);
  const inputs = [x, scale ?? ones(), shift ?? zeros(), mean ?? zeros(), variance ?? ones()];
  const [y, ...others] = call.run('FusedBatchNormV3', inputs, { is_training: false, epsilon }, 6);
  call.free(...others);
  return y as Value;
}
