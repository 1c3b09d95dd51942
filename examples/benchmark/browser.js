/**
 * A page in a headless Chromium with a script in it. Browser, server and bundler are those of the tests; they are TypeScript,
 * which Node 20 does not read, so they are bundled into .cache/, from where they find the packages they need: to CommonJS, as
 * the tests run them.
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const BUNDLED = new URL('../../.cache/benchmark/browser.cjs', import.meta.url);

export async function testSupport() {
  await build({
    stdin: {
      contents: `export { bundle } from './bundle.ts';
        export { launchChromium } from './chromium.ts';
        export { serve } from './server.ts';`,
      resolveDir: path('../../test/support'),
    },
    outfile: fileURLToPath(BUNDLED),
    bundle: true,
    packages: 'external',
    define: { 'import.meta.url': JSON.stringify(new URL('../../test/support/on-demand.mjs', import.meta.url).href) },
    platform: 'node',
    format: 'cjs',
    logLevel: 'error',
  });
  return import(BUNDLED);
}

/**
 * @param {string} script what the page runs, beside this file
 * @returns {Promise<{page: import('playwright-core').Page, version: string, close: () => Promise<void>}>}
 */
export async function openPage(script) {
  const { bundle, launchChromium, serve } = await testSupport();
  const { url, server } = await serve({
    '/': '<!doctype html><meta charset="utf-8"><title>benchmark</title><script src="/script.js"></script>',
    '/script.js': await bundle(path(script)),
  });
  const opened = [() => server.close()];
  const close = async () => {
    for (const end of opened.reverse()) await end();
  };
  try {
    const browser = await launchChromium();
    opened.push(() => browser.close());
    const page = await browser.newPage();
    await page.goto(url);
    return { page, version: browser.version(), close };
  } catch (error) {
    await close();
    throw error;
  }
}
