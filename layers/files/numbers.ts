/** 16-bit floats of files, for which JavaScript has no typed arrays, as float32. The bits come as unsigned integers. */

/** bfloat16 is the upper half of a float32. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = (bits[i] as number) << 16;
  return new Float32Array(wide.buffer);
}

/** float16 of IEEE 754: a sign, 5 bits of exponent and 10 of fraction. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i] as number;
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = (half & 1023) / 1024;
    if (exponent === 31) values[i] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else values[i] = sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
  }
  return values;
}
