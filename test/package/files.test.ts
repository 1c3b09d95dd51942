/** The entry `files` of the tarball: what it says where packages are missing, and bundled, in a page of a browser. */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { closePages, describePages, visit } from '../support/pages.ts';
import { expectedOf, KERAS_FILES, pathOf, wholeModels } from '../support/read-files.ts';
import { MODULES, NAME, User } from '../support/user.ts';

let user: User;
beforeAll(async () => {
  user = await User.install();
});
afterAll(() => user.remove());
closePages();

/** Loads all models, half of them as files that a user chose; the page is told what they predict, and what it loaded for that. */
const PAGE = `
import * as tf from '@tensorflow/tfjs';
import { loadModel } from '${NAME}/files';

async function predictions() {
  await tf.setBackend('cpu');
  const found = {};
  for (const [i, [name, { x, xshape }]] of Object.entries(INPUTS).entries()) {
    const url = '/models/' + name;
    const source = i % 2 === 0 ? url : new File([await (await fetch(url)).blob()], name);
    const model = await loadModel(source);
    found[name] = Array.from(model.predict(tf.tensor(x, xshape)).dataSync());
  }
  const refused = await loadModel('/models/2.13/counted.weights.h5').catch(({ message }) => message);
  return { found, refused };
}
globalThis.result = predictions();`;

test('it names the packages that are missing', async () => {
  const load = (path: string) =>
    `await loadModel(${JSON.stringify(path)}).catch(({ message }) => console.log(message));`;
  const files = [pathOf('3.15/spec.keras'), pathOf('3.15/spec.h5')].map(load).join('\n');
  const script = user.write(
    'missing.js',
    `import '@tensorflow/tfjs';\nimport { loadModel } from '${NAME}/files';\n${files}`,
  );
  const { code, output } = await user.node(script);
  expect(code).toBe(0);
  expect(output.match(/^loadModel: the package h5wasm .*npm install h5wasm/gm)).toHaveLength(2);
});

describePages('bundled by esbuild', () => {
  test('it loads models in a page, and h5wasm in a file of its own', async () => {
    for (const name of ['h5wasm', 'fflate']) symlinkSync(join(MODULES, name), join(user.folder, 'node_modules', name));
    const inputs = Object.fromEntries(wholeModels.map((name) => [name, expectedOf(name)]));
    user.write('page.js', PAGE.replace('INPUTS', JSON.stringify(inputs)));
    const folder = join(user.folder, 'built');
    const { metafile } = await build({
      entryPoints: [join(user.folder, 'page.js')],
      outdir: folder,
      bundle: true,
      splitting: true,
      format: 'esm',
      metafile: true,
      logLevel: 'error',
    });
    const [entry] = Object.entries(metafile.outputs).filter(([path]) => path.endsWith('page.js'));
    const { imports, bytes } = entry![1];
    expect(imports.filter(({ kind }) => kind === 'dynamic-import')).toHaveLength(2);
    expect(bytes).toBeLessThan(4e6);
    const html = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';
    const { result, errors } = await visit<{ found: Record<string, number[]>; refused: string }>(
      '/index.html',
      { '/index.html': html },
      { '/models/': KERAS_FILES, '/': folder },
    );
    // That a file is refused shows nothing in the console either.
    expect(errors).toEqual([]);
    expect(result.refused).toMatch(/^loadModel: the HDF5 file holds no model/);
    expect(Object.keys(result.found)).toEqual(wholeModels);
    for (const [name, y] of Object.entries(result.found)) {
      const largest = Math.max(...expectedOf(name).y.map(Math.abs));
      expect(y).toBeClose(expectedOf(name).y, { rtol: 0, atol: 1e-6 * largest, what: name });
    }
  });
});
