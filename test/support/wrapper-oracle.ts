/**
 * Weight and spectral normalization in float64, written from the definitions over a kernel of any axes, and the largest
 * singular value of a matrix by Jacobi's rotations. It shares nothing with the library.
 */
type Values = ArrayLike<number>;

/** A kernel as a matrix: which row (of `rest`) and which output unit each element belongs to. */
export interface Matrix {
  readonly rest: number;
  readonly units: number;
  readonly rowOf: readonly number[];
  readonly unitOf: readonly number[];
}

export function matrixOf(shape: readonly number[], unitAxes: readonly number[]): Matrix {
  const size = shape.reduce((a, b) => a * b, 1);
  const units = unitAxes.reduce((product, axis) => product * shape[axis]!, 1);
  const [rowOf, unitOf]: [number[], number[]] = [[], []];
  for (let i = 0; i < size; i++) {
    let [left, row, unit] = [i, 0, 0];
    const index: number[] = [];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = left % shape[axis]!;
      left = Math.floor(left / shape[axis]!);
    }
    for (const [axis, at] of index.entries()) {
      if (unitAxes.includes(axis)) unit = unit * shape[axis]! + at;
      else row = row * shape[axis]! + at;
    }
    rowOf.push(row);
    unitOf.push(unit);
  }
  return { rest: size / units, units, rowOf, unitOf };
}

const norm = (x: Values) => Math.sqrt(Array.from(x).reduce((sum, v) => sum + v * v, 0));
const map = (x: Values, f: (value: number, i: number) => number) => Float64Array.from(Array.from(x), f);

/** sum over the elements of each unit of value(i): [units]. */
function unitSums({ units, unitOf }: Matrix, value: (i: number) => number): Float64Array {
  const sums = new Float64Array(units);
  for (const [i, unit] of unitOf.entries()) sums[unit]! += value(i);
  return sums;
}

/** g v / ||v||. */
export function weightNorm(v: Values, g: Values, matrix: Matrix): Float64Array {
  const norms = unitSums(matrix, (i) => v[i]! ** 2).map(Math.sqrt);
  return map(v, (value, i) => (g[matrix.unitOf[i]!]! * value) / norms[matrix.unitOf[i]!]!);
}

/** dg = sum dw v / ||v||, dv = g / ||v|| (dw - v / ||v|| dg). */
export function weightNormGrad(dw: Values, v: Values, g: Values, matrix: Matrix) {
  const norms = unitSums(matrix, (i) => v[i]! ** 2).map(Math.sqrt);
  const dg = unitSums(matrix, (i) => (dw[i]! * v[i]!) / norms[matrix.unitOf[i]!]!);
  const dv = map(v, (value, i) => {
    const unit = matrix.unitOf[i]!;
    return (g[unit]! / norms[unit]!) * (dw[i]! - (value / norms[unit]!) * dg[unit]!);
  });
  return { dg, dv };
}

export interface Vectors {
  readonly u: Values;
  readonly v: Values;
}

/** Steps of power iteration, PyTorch's (u first) or Keras's (v first), and sigma = v W u^T. */
export function powerIteration(w: Values, { u, v }: Vectors, steps: number, first: 'u' | 'v', matrix: Matrix) {
  const { rest, units, rowOf, unitOf } = matrix;
  const unit = (x: Float64Array) => {
    const length = norm(x);
    return map(x, (value) => value / length);
  };
  const timesV = (v: Values) => {
    const product = new Float64Array(units);
    for (let i = 0; i < w.length; i++) product[unitOf[i]!]! += v[rowOf[i]!]! * w[i]!;
    return product;
  };
  const timesU = (u: Values) => {
    const product = new Float64Array(rest);
    for (let i = 0; i < w.length; i++) product[rowOf[i]!]! += u[unitOf[i]!]! * w[i]!;
    return product;
  };
  for (let step = 0; step < steps; step++) {
    if (first === 'u') u = unit(timesV(v));
    v = unit(timesU(u));
    if (first === 'v') u = unit(timesV(v));
  }
  const product = timesV(v);
  const sigma = Array.from(u).reduce((sum, value, j) => sum + value * product[j]!, 0);
  return { u, v, sigma };
}

/** dW = (dW' - sum(dW' W') v^T u) / sigma, with W' = W / sigma. */
export function spectralNormGrad(dw: Values, w: Values, { u, v }: Vectors, sigma: number, { rowOf, unitOf }: Matrix) {
  const dot = Array.from(dw).reduce((sum, d, i) => sum + (d * w[i]!) / sigma, 0);
  return map(dw, (d, i) => (d - dot * v[rowOf[i]!]! * u[unitOf[i]!]!) / sigma);
}

/** One-sided Jacobi rotations make the columns orthogonal; then the longest is the largest singular value. */
export function largestSingularValue(w: Values, { rest, units, rowOf, unitOf }: Matrix): number {
  const columns = Array.from({ length: units }, () => new Float64Array(rest));
  for (let i = 0; i < w.length; i++) columns[unitOf[i]!]![rowOf[i]!] = w[i]!;
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  for (let sweep = 0; sweep < 60; sweep++) {
    let rotated = false;
    for (let p = 0; p < units; p++) {
      for (let q = p + 1; q < units; q++) {
        const [a, b] = [columns[p]!, columns[q]!];
        const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
        if (Math.abs(ab) <= 1e-15 * Math.sqrt(aa * bb)) continue;
        rotated = true;
        const angle = Math.atan2(2 * ab, aa - bb) / 2;
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        for (let i = 0; i < rest; i++) {
          const [x, y] = [a[i]!, b[i]!];
          a[i] = cos * x + sin * y;
          b[i] = cos * y - sin * x;
        }
      }
    }
    if (!rotated) break;
  }
  return Math.max(...columns.map(norm));
}
