/**
 * Pages of the built gallery in a browser, served from a sub-folder. Whatever a page writes to the console as an error,
 * throws, or asks of another host, fails the test that opened it.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from './chromium.ts';
import { makeLate } from './late.ts';
import { serve } from './server.ts';

const ROOT = join(__dirname, '..', '..');
/** `npm run build:gallery` builds it; the variable names another place to look for it. */
export const BUILT = process.env.GALLERY ?? join(ROOT, 'dist', 'gallery');
const FOLDER = '/some/folder/';
export const SCREENSHOTS = join(ROOT, '.cache', 'screenshots');

export interface OpenOptions {
  /**
   * Settings in the address, such as `{ backend: 'cpu', batch: 4 }`. The backend is wasm if none is given: where webgl is drawn by
   * software, it takes ten times as long.
   */
  readonly settings?: Record<string, string | number>;
  /** Leaves the backend to the page, as an address without one does. */
  readonly anyBackend?: boolean;
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Lets the page install its service worker. */
  readonly offline?: boolean;
  /** Measures what `watched` tells. */
  readonly watch?: boolean;
}

export interface Gallery {
  /** Opens a page, or with '' the start page, and waits until it stands. */
  open(folder: string, options?: OpenOptions): Promise<Page>;
}

/** `describe` with a browser; where there is none it is skipped under a title that says why. */
export function describeGallery(title: string, body: (gallery: Gallery) => void): void {
  const absent = process.env.TEST_NO_BROWSER;
  const describeIt = absent ? describe.skip : describe;
  describeIt(absent ? `${title} (absent: ${absent})` : title, () => {
    let browser: Browser;
    let url: string;
    let server: Server;
    let opened: Page[] = [];
    let complaints: string[] = [];

    beforeAll(async () => {
      if (!existsSync(join(BUILT, 'index.html'))) throw new Error('no gallery is built; npm run build:gallery does it');
      ({ url, server } = await serve({}, { [FOLDER]: BUILT }));
      browser = await launchChromium('look');
      await browser.newPage(); // the headless shell ends with its last page
    });
    afterAll(async () => {
      await browser?.close();
      server?.close();
    });
    afterEach(async () => {
      for (const page of opened) await page.close();
      opened = [];
      const found = complaints;
      complaints = [];
      if (found.length > 0) throw new Error(`the page complained:\n${found.join('\n')}`);
    });

    const open: Gallery['open'] = async (folder, options = {}) => {
      const { settings = {}, anyBackend = false, width = 1200, height = 900, dark = false } = options;
      const serviceWorkers = options.offline ? 'allow' : 'block';
      const colorScheme = dark ? 'dark' : 'light';
      const page = await browser.newPage({
        viewport: { width, height },
        colorScheme,
        acceptDownloads: true,
        serviceWorkers,
      });
      opened.push(page);
      page.setDefaultTimeout(120_000);
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));
      page.on('request', (request) => {
        const { protocol, origin } = new URL(request.url());
        if (protocol.startsWith('http') && origin !== url) complaints.push(`asked for ${request.url()}`);
      });
      if (options.watch) await page.addInitScript(watch);
      await makeLate(page);
      const all = anyBackend ? settings : { backend: 'wasm', ...settings };
      const query = Object.entries(all).map(([name, value]) => [name, String(value)]);
      const path = folder ? `${folder}/index.html` : 'index.html';
      await page.goto(`${url}${FOLDER}${path}?${new URLSearchParams(query)}`);
      await stands(page);
      // Tests set rare settings, too.
      await page.locator('details.folded').evaluateAll((all) => {
        for (const one of all) one.setAttribute('open', '');
      });
      return page;
    };
    body({ open });
  });
}

/** What a page is like while it opens. */
export interface Watched {
  /** The cumulative layout shift, as browsers define it for pages. */
  readonly shift: number;
  /** Milliseconds from the start of the page's script to the first picture or chart in view that is not blank. */
  readonly firstPicture: number;
}
declare const window: { watched: Watched };
export const watched = (page: Page): Promise<Watched> => page.evaluate(() => window.watched);

/** Runs in the page before its scripts. */
function watch(): void {
  const seen = { shift: 0, firstPicture: Number.POSITIVE_INFINITY };
  Object.assign(globalThis, { watched: seen });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as unknown as { value: number; hadRecentInput: boolean }[]) {
      if (!entry.hadRecentInput) seen.shift += entry.value;
    }
  }).observe({ type: 'layout-shift', buffered: true });
  const isDrawn = (picture: Element): boolean => {
    const { top, bottom, width } = picture.getBoundingClientRect();
    if (width === 0 || top > innerHeight || bottom < 0) return false;
    if (picture instanceof HTMLCanvasElement) {
      const small = document.createElement('canvas');
      small.width = small.height = 8;
      const context = small.getContext('2d') as CanvasRenderingContext2D;
      context.drawImage(picture, 0, 0, 8, 8);
      const { data } = context.getImageData(0, 0, 8, 8);
      return data.some((byte, i) => byte !== data[i % 4]);
    }
    return picture.querySelectorAll('path, rect, polygon, circle').length > 5;
  };
  const look = () => {
    const [start] = performance.getEntriesByName('script');
    if (start && Array.from(document.querySelectorAll('main :is(canvas, svg)')).some(isDrawn)) {
      seen.firstPicture = performance.now() - start.startTime;
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** Waits until a page has started, its first results included. */
export const stands = (page: Page): Promise<void> =>
  page.locator('main:not([aria-busy=true])').waitFor({ state: 'attached' });

/** Waits until a page that has just opened changes no more: at least half a second, at most twenty. */
export async function settled(page: Page): Promise<void> {
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        let quiet = setTimeout(resolve, 500);
        const observer = new MutationObserver(() => {
          clearTimeout(quiet);
          quiet = setTimeout(resolve, 500);
        });
        observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
        setTimeout(resolve, 20_000);
      }),
  );
}

/** Presses start, and waits until the work has ended well. */
export async function runTask(page: Page, label: string): Promise<void> {
  const task = page.locator('.task', { has: page.getByRole('button', { name: label, exact: true }) });
  await task.getByRole('button', { name: label, exact: true }).click();
  await task.and(page.locator('[data-state="done"], [data-state="failed"]')).waitFor({ timeout: 300_000 });
  const state = await task.getAttribute('data-state');
  if (state !== 'done') throw new Error(`${label}: ${await task.locator('output').textContent()}`);
}

/** How many tensors the footer counts. */
export const tensorsOf = async (page: Page): Promise<number> =>
  Number(await page.locator('[data-tensors]').getAttribute('data-tensors'));

/** A picture of the whole page, for the eye, in .cache/screenshots: under SCREENSHOTS=1, as all of them take half a minute. */
export async function screenshot(page: Page, name: string): Promise<void> {
  if (!process.env.SCREENSHOTS) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
}

/** The links of a page that do not lead to a file of the site, or not to a place in one; `file` is the page's, from the root of the site. */
export function brokenLinks(file: string, links: readonly string[]): string[] {
  return links.filter((link) => {
    const { origin, pathname, hash } = new URL(link, `http://site/${file}`);
    if (origin !== 'http://site') return !/^https?:$/.test(new URL(link).protocol);
    const target = decodeURIComponent(pathname)
      .slice(1)
      .replace(/(^|\/)$/, '$1index.html');
    if (!existsSync(join(BUILT, target))) return true;
    const id = decodeURIComponent(hash.slice(1));
    // The gallery makes its pages by JavaScript.
    const isFixed = target.startsWith('docs/');
    return id !== '' && isFixed && !readFileSync(join(BUILT, target), 'utf8').includes(`id="${id}"`);
  });
}
