/**
 * Compiles assembly/ and writes module.ts, the binary as text; with --check, compares instead and fails if they differ.
 * The module imports its memory, and may keep nothing of its own in it: no data, no stack, no globals.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { packageFolder } from '../../test/support/on-demand.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const target = new URL('module.ts', import.meta.url);

const { default: asc } = await import(pathToFileURL(join(packageFolder('assemblyscript'), 'dist', 'asc.js')).href);
const files = {};
const { error, stderr } = await asc.main(
  [
    'assembly/index.ts',
    '--outFile=module.wasm',
    '--textFile=module.wat',
    '-O3',
    '--converge',
    '--noAssert',
    '--runtime=stub',
    '--enable=simd',
    '--importMemory',
    '--noExportMemory',
    '--initialMemory=1',
    '--maximumMemory=65536',
  ],
  {
    readFile: (name) => {
      try {
        return readFileSync(`${folder}/${name}`, 'utf8');
      } catch {
        return null; // asc asks for several candidates of each name
      }
    },
    writeFile: (name, contents) => {
      files[name] = contents;
    },
    listFiles: () => [],
  },
);
if (error) throw new Error(`${error.message}\n${stderr}`);
const stray = files['module.wat'].match(/^ \((data|global|table|start)\b.*/m);
if (stray) throw new Error(`The module must own nothing, but has: ${stray[0].trim()}`);

/**
 * Bytes as printable characters: one for a byte below 93, else a prefix and one. Equal bytes become equal text, so that gzip
 * compresses the text as well as the binary; base64 would be a third larger.
 */
function printable(bytes) {
  const character = (value) => String.fromCharCode(32 + value).replace(/[\\']/, '\\$&');
  return Array.from(bytes, (byte) => ['', '}', '~'][Math.floor(byte / 93)] + character(byte % 93)).join('');
}

const text = `// Generated from assembly/ by build.mjs. Do not edit.\nexport const binary =\n  '${printable(files['module.wasm'])}';\n`;
if (/<\/script|<!--/i.test(text)) throw new Error('The text would end a script element: change the encoding');
if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
  console.log(`module.ts: ${files['module.wasm'].length} bytes of WebAssembly`);
} else if (readFileSync(target, 'utf8') !== text) {
  console.error('kernels/simd/module.ts is not what kernels/simd/assembly compiles to: run build.mjs');
  process.exitCode = 1;
}
