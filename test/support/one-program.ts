/**
 * With a flag of its own, TensorFlow.js compiles one WebGL program for all shapes of a rank, and not one for each: its operations then
 * compile in half the time. But it takes some programs for one another: where a tensor [1, m, n] is read as [m, n], the key of the program
 * must say whether the texture has just these rows and columns, and compares the wrong shape. For the pages of the tests that is corrected.
 */
import { readFile } from 'node:fs/promises';
import type { Plugin } from 'esbuild';

const WRONG = 'util.arraysEqual(x.shape, xTexShape)';

export const oneProgramForAllShapes: Plugin = {
  name: 'one-program-for-all-shapes',
  setup(build) {
    build.onLoad({ filter: /tfjs-backend-webgl[/\\]dist[/\\]gpgpu_math\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (!text.includes(WRONG))
        throw new Error(`${path} no longer compares shapes in the keys of programs by '${WRONG}'`);
      return { contents: text.replace(WRONG, 'util.arraysEqual(uniformShape, xTexShape)') };
    });
  },
};
