/** Where there is no page: servers that render pages import the package, their bundlers read it, and those of React Native. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { NAME, PACKAGE, succeeded, User } from '../support/user.ts';

let user: User;
beforeAll(async () => {
  user = await User.install();
});
afterAll(() => user.remove());

const ENTRIES = Object.keys(PACKAGE.exports)
  .filter((entry) => entry !== './package.json')
  .map((entry) => entry.replace('.', NAME));

/** After TensorFlow.js, which looks for a page when it is imported, nothing may: not even by `typeof`. */
const UNTOUCHED = `
import '@tensorflow/tfjs';
for (const name of ['window', 'document', 'navigator', 'location', 'self']) {
  const get = () => {
    throw new Error(name + ' is touched');
  };
  Object.defineProperty(globalThis, name, { configurable: true, get });
}
for (const entry of ${JSON.stringify(ENTRIES)}) await import(entry);
console.log('all are imported');
`;

test.each(['node', 'browser', 'react-native'])(
  'no import touches a page, under the condition %s',
  async (condition) => {
    const result = await user.node('--conditions', condition, user.write('untouched.mjs', UNTOUCHED));
    expect(succeeded(result)).toEqual({ code: 0, output: '' });
    expect(result.output).toContain('all are imported');
  },
);

/** The code of entries in one bundle, for a platform with these conditions. Of the optional peers none is there. */
async function bundled(entries: readonly string[], conditions: string[], platform: 'node' | 'neutral') {
  const { outputFiles, warnings } = await build({
    stdin: {
      contents: entries.map((entry, i) => `export * as entry${i} from '${entry}';`).join('\n'),
      resolveDir: user.folder,
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform,
    conditions,
    external: ['@tensorflow/*'],
    logLevel: 'silent',
  });
  expect(warnings).toEqual([]);
  return outputFiles[0]!.text;
}

// Such a URL is a file to bundlers of servers, that of Next.js among them, and the build fails where it is none.
test('a bundle for servers has no URL of a file', async () => {
  const code = await bundled(ENTRIES, ['node', 'import'], 'node');
  expect(code).toContain('import.meta.url');
  expect(code).not.toMatch(/new URL\(\s*['"]/);
});

test('a bundle for React Native has no import.meta, which its engine cannot read', async () => {
  const entries = ENTRIES.filter((entry) => !entry.endsWith('/kernels/node'));
  for (const condition of ['import', 'require']) {
    const code = await bundled(entries, ['react-native', condition], 'neutral');
    expect(code).toContain('LayerNormalization');
    expect(code).not.toContain('import.meta');
  }
  expect(PACKAGE['react-native']).toBe(PACKAGE.exports['.']['react-native']); // for bundlers that read no exports
});
