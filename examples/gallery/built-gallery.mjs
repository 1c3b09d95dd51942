/** The built gallery in a headless browser, for scripts that record it. Browser and server are those of the tests. */
import { fileURLToPath } from 'node:url';
import { testSupport } from '../benchmark/browser.js';

export const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
export const BACKEND = 'wasm';

/**
 * @param {(open: (folder: string, settings: object, context: object) => Promise<import('playwright-core').Page>) => Promise<void>} work is
 *   given what opens a page and waits until it stands
 */
export async function withGallery(work) {
  const { launchChromium, serve } = await testSupport();
  // `npm run build:gallery` builds it; the variable names another place to look for it.
  const { url, server } = await serve({}, { '/': process.env.GALLERY ?? path('../../dist/gallery') });
  const browser = await launchChromium('look');
  try {
    await work(async (folder, settings = {}, context = {}) => {
      const page = await browser.newPage({
        viewport: { width: 1280, height: 900 },
        serviceWorkers: 'block',
        ...context,
      });
      page.on('console', (message) => message.type() === 'error' && console.error(message.text()));
      const query = new URLSearchParams(folder ? { backend: BACKEND, ...settings } : settings);
      await page.goto(`${url}/${folder ? `${folder}/` : ''}index.html?${query}`);
      await page.locator('main:not([aria-busy=true])').waitFor({ state: 'attached', timeout: 60_000 });
      return page;
    });
  } finally {
    await browser.close();
    server.close();
  }
}
