/** Random numbers that are the same for the same seed, on every backend. */
export interface Random {
  /** In [0, 1). */
  uniform(): number;
  /** Of mean 0 and variance 1. */
  normal(): number;
}

export function random(seed: number): Random {
  let state = seed >>> 0;
  // A Weyl sequence through a 32 bit mixer.
  const uniform = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
  // Box and Muller's pairs; half of each is left.
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

/** `count` normal numbers. */
export function normals(count: number, seed: number): Float32Array {
  const { normal } = random(seed);
  return Float32Array.from({ length: count }, normal);
}
