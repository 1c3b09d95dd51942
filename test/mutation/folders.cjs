/**
 * What is broken, folder by folder, and the tests of it that run in one process on the cpu backend: the quick ones first, since a
 * mutant is left at the first test that kills it.
 */
module.exports = {
  'kernels/core': {
    mutate: ['kernels/core/**/*.ts'],
    tests: [
      'unit/core',
      'unit/registry',
      'unit/errors',
      'backends/view',
      'backends/power-iteration',
      'backends/conditional',
      'backends/not-a-number',
      'backends/nothing',
      'unit/conditional-layers',
    ],
  },
};
