/** Numbers as the reports and the page of the gallery write them, by unit. */

const three = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

export const format = {
  time(us) {
    if (us < 1000) return `${three(us)} us`;
    return us < 1e6 ? `${three(us / 1e3)} ms` : `${three(us / 1e6)} s`;
  },
  error: (value) => value.toExponential(1),
  ratio: three,
  count: String,
};

/**
 * @param {number | undefined} value
 * @param {'time' | 'error' | 'ratio' | 'count'} unit
 */
export const cell = (value, unit) => (value === undefined ? '-' : format[unit](value));

/** What is to be said of a renderer, by its name, that is no GPU. */
export const softwareNote = (renderer) =>
  /swiftshader|llvmpipe/i.test(renderer)
    ? 'A renderer in software: a GPU makes the same draws, but its times and ratios are other ones.'
    : undefined;
