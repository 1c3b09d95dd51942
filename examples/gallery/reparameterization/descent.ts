/**
 * Gradient descent on two weights, as they are and as w = g v / ||v||, where the loss is a valley around the weights wanted:
 *
 *     loss(w) = (w - w*)^T H (w - w*) / 2
 */

export type Vector = readonly [number, number];

export const VALLEYS = {
  along: 'along the weights',
  across: 'across the weights',
  round: 'nowhere: it is round',
} as const;
export type Valley = keyof typeof VALLEYS;

/** The weights wanted. */
export const WANTED: Vector = [1.8, 1.2];
const STEEP = 20;
/** Curvatures along w* and across it. */
const CURVATURES: Readonly<Record<Valley, Vector>> = { along: [1, STEEP], across: [STEEP, 1], round: [4, 4] };

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1];
export const lengthOf = (a: Vector): number => Math.hypot(...a);
const times = (factor: number, a: Vector): Vector => [factor * a[0], factor * a[1]];
const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1]];
export const unit = (a: Vector): Vector => times(1 / lengthOf(a), a);

/** Parts of w - w* along w* and across it. */
function parts(w: Vector): Vector {
  const [x, y] = unit(WANTED);
  const off = minus(w, WANTED);
  return [dot(off, [x, y]), dot(off, [-y, x])];
}

export function loss(valley: Valley, w: Vector): number {
  const [along, across] = parts(w);
  const [a, b] = CURVATURES[valley];
  return (a * along ** 2 + b * across ** 2) / 2;
}

/** dloss/dw = H (w - w*) */
export function gradient(valley: Valley, w: Vector): Vector {
  const [x, y] = unit(WANTED);
  const [along, across] = parts(w);
  const [a, b] = CURVATURES[valley];
  return [a * along * x - b * across * y, a * along * y + b * across * x];
}

/** w = g v / ||v|| */
export const weightOf = (v: Vector, g: number): Vector => times(g, unit(v));

/**
 * dg = dw . v / ||v||, and dv = g / ||v|| (dw - dg v / ||v||), which is at right angles to v: so v grows with every step, and the
 * larger it is, the less a step turns it.
 */
export function gradientsOf(dw: Vector, v: Vector, g: number): { dg: number; dv: Vector } {
  const direction = unit(v);
  const dg = dot(dw, direction);
  return { dg, dv: times(g / lengthOf(v), minus(dw, times(dg, direction))) };
}

export interface Descent {
  readonly valley: Valley;
  readonly rate: number;
  readonly steps: number;
}

/** Weights after each step; it ends where they leave the plane for good. */
export function plainPath(start: Vector, { valley, rate, steps }: Descent): Vector[] {
  const path = [start];
  for (let step = 0; step < steps && lengthOf(path[step]) < 1e3; step++) {
    path.push(minus(path[step], times(rate, gradient(valley, path[step]))));
  }
  return path;
}

/** The same by way of v and g. */
export function normalizedPath(start: { v: Vector; g: number }, { valley, rate, steps }: Descent): Vector[] {
  let { v, g } = start;
  const path = [weightOf(v, g)];
  for (let step = 0; step < steps && Math.abs(g) < 1e3; step++) {
    const { dg, dv } = gradientsOf(gradient(valley, path[step]), v, g);
    v = minus(v, times(rate, dv));
    g -= rate * dg;
    path.push(weightOf(v, g));
  }
  return path;
}
