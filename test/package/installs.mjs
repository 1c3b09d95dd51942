/**
 * Installs the package from its tarball, as users do, and runs it where the tests do not reach: in Bun, in Deno, on a server of Next.js, and
 * bundled by Metro, React Native's bundler. That takes 1.7 GB in .cache/installs, and minutes, and so is no part of `npm test`.
 *
 *   npm run test:installs -- bun deno      or next, or metro; all, if none is named
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const INSTALLS = join(PROJECT, '.cache', 'installs');
const PACKAGE = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));
/** `npm run tarball` makes it. */
const TARBALL = join(PROJECT, 'dist', `${PACKAGE.name}-${PACKAGE.version}.tgz`);

/** Layer normalization of [1, 2, 3, 4] with epsilon 1e-5, and what runs it. */
const EXPECTED = '-1.342 -0.447 0.447 1.342';
const COMPUTE = `
  await tf.setBackend('cpu');
  const y = await layerNorm(tf.tensor([[1, 2, 3, 4]]), { epsilon: 1e-5 }).data();
  const answer = normalizationKernels().kernels + ' ' + Array.from(y, (value) => value.toFixed(3)).join(' ');`;
const IMPORTS = `
import * as tf from '@tensorflow/tfjs';
import { layerNorm, normalizationKernels } from 'tfjs-normalizations';
import 'tfjs-normalizations/files';
import 'tfjs-normalizations/surgery';`;
const SCRIPT = `${IMPORTS}${COMPUTE}\nconsole.log(answer);`;

/** @throws with what the command says of its failure, without the progress that it draws */
function npx(folder, ...args) {
  try {
    return execFileSync('npx', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error(`npx ${args.join(' ')}: ${error.stderr.trim() || error.stdout.slice(-2000)}`);
  }
}

/** A page of Next.js that is rendered by the server, and one that is rendered there first and then runs in the browser. */
const NEXT = {
  'next.config.mjs': `export default { serverExternalPackages: ['@tensorflow/tfjs', 'tfjs-normalizations'] };`,
  'app/layout.js': 'export default ({ children }) => <html lang="en"><body>{children}</body></html>;',
  'app/page.js': `${IMPORTS}
export const dynamic = 'force-dynamic';
export default async function Page() {${COMPUTE}
  return <p>{answer}</p>;
}`,
  'app/client/page.js': `'use client';
import { useEffect, useState } from 'react';${IMPORTS}
export default function Page() {
  const [text, setText] = useState('not yet');
  useEffect(() => {
    (async () => {${COMPUTE}
      setText(answer);
    })();
  }, []);
  return <p>{text}</p>;
}`,
};

/** What has to be installed beside the package and TensorFlow.js, the user's files, and what runs them and gives the answer. */
const WAYS = {
  bun: { packages: ['bun@1.4.5'], files: { 'main.js': SCRIPT }, run: (folder) => npx(folder, 'bun', 'main.js') },
  deno: {
    packages: ['deno@2.9.6'],
    files: { 'main.js': SCRIPT },
    run: (folder) => npx(folder, 'deno', 'run', 'main.js'),
  },
  next: {
    packages: ['next@16.4.6', 'react@19.3.1', 'react-dom@19.3.1'],
    files: NEXT,
    run: async (folder) => {
      npx(folder, 'next', 'build');
      const [server, url] = await started(folder);
      try {
        const [page, client] = await Promise.all(['', '/client'].map(async (path) => (await fetch(url + path)).text()));
        if (!client.includes('not yet'))
          throw new Error(`the server has not rendered the page for browsers: ${client}`);
        return page;
      } finally {
        server.kill();
      }
    },
  },
  metro: {
    packages: [
      ...['metro@0.87.1', '@babel/core@7', '@react-native/metro-config@0.88.1', '@react-native/babel-preset@0.88.1'],
    ],
    files: {
      'index.js': `${IMPORTS}\nasync function compute() {${COMPUTE}\n  return answer;\n}\nglobalThis.result = compute();`,
      'babel.config.js': `module.exports = { presets: ['module:@react-native/babel-preset'] };`,
      'metro.config.js': `const { getDefaultConfig, mergeConfig } = require('@react-native/metro-config');
module.exports = mergeConfig(getDefaultConfig(__dirname), { serializer: { getModulesRunBeforeMainModule: () => [] } });`,
    },
    run: async (folder) => {
      const file = join(folder, 'bundle.js'); // in a folder that is there: Metro makes none
      npx(folder, 'metro', 'build', 'index.js', '--platform', 'ios', '--dev', 'false', '--out', file);
      const code = readFileSync(file, 'utf8');
      if (code.includes('import.meta'))
        throw new Error("the bundle has import.meta, which React Native's engine cannot read");
      // TensorFlow.js takes it for a page, since what it needs of React Native is in a package of its own.
      const page = {
        console,
        performance,
        setTimeout,
        TextEncoder,
        fetch,
        document: {},
        addEventListener() {},
        postMessage() {},
      };
      const context = createContext(page);
      runInContext('globalThis.window = globalThis.global = globalThis', context);
      runInContext(code, context);
      return context.result;
    },
  },
};

/** A server of Next.js, and its address when it is ready. */
function started(folder) {
  const command = [join(folder, 'node_modules/next/dist/bin/next'), 'start', '--port', '0'];
  const server = spawn(process.execPath, command, { cwd: folder });
  return new Promise((resolve, reject) => {
    let output = '';
    const read = (data) => {
      output += data;
      const url = /http:\/\/localhost:\d+/.exec(output)?.[0];
      if (url && output.includes('Ready')) resolve([server, url]);
    };
    server.stdout.on('data', read);
    server.stderr.on('data', read);
    server.on('exit', () => reject(new Error(output)));
  });
}

async function check(name) {
  const { packages, files, run } = WAYS[name];
  const folder = join(INSTALLS, name);
  rmSync(join(folder, 'node_modules/tfjs-normalizations'), { recursive: true, force: true });
  const all = {
    'package.json': JSON.stringify({ name, private: true, type: name === 'metro' ? 'commonjs' : 'module' }),
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const options = ['--ignore-scripts=false', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'];
  execFileSync('npm', ['install', ...options, TARBALL, '@tensorflow/tfjs@4.22.0', ...packages], {
    cwd: folder,
    stdio: 'pipe',
  });
  const answer = await run(folder);
  // Where there is no WebAssembly, as in React Native, ordinary ops compute the same.
  if (!answer.includes(EXPECTED)) throw new Error(`${name} answers ${answer}`);
  console.log(`${name}: ${answer.match(/\w+(?= -1\.342)/)?.[0]} kernels`);
}

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(WAYS);
for (const name of chosen) await check(name);
