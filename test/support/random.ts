/** Reproducible random numbers, so that a case travels to the page as a seed and a shape instead of as data. */

/** Uniform in (0, 1): the mulberry32 generator. */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

/**
 * `count` nearly normal values as float32, which every backend then holds exactly. They are sums of four uniform values,
 * not logarithms and cosines, which need not agree to the last bit in Node and in the browser.
 */
export function normals(seed: number, count: number, mean = 0, std = 1): Float32Array {
  const next = uniforms(seed);
  const values = new Float32Array(count);
  const unit = std * Math.sqrt(3);
  for (let i = 0; i < count; i++) values[i] = mean + unit * (next() + next() + next() + next() - 2);
  return values;
}
