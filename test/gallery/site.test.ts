/** The site: the built gallery and the documentation in it, which `npm run docs` builds. No link of it leads nowhere. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { pages } from '../../examples/gallery/pages.ts';
import { connectToBrowser } from '../support/browser.ts';
import { BUILT, SCREENSHOTS } from '../support/gallery.ts';
import { serve } from '../support/server.ts';
import { MODULES, ROOT } from '../support/user.ts';

const site = mkdtempSync(join(tmpdir(), 'tfjs-normalizations-site-'));
const docs = join(site, 'docs');
/** The pages of the documentation, from the root of the site. */
let files: string[];
const read = (file: string) => readFileSync(join(site, file), 'utf8');

beforeAll(async () => {
  cpSync(BUILT, site, { recursive: true, filter: (path) => path !== join(BUILT, 'docs') });
  await promisify(execFile)(process.execPath, [join(MODULES, 'typedoc', 'bin', 'typedoc'), '--out', docs], {
    cwd: ROOT,
  });
  const found = readdirSync(docs, { recursive: true, encoding: 'utf8' });
  files = found.filter((file) => file.endsWith('.html')).map((file) => `docs/${file.replaceAll('\\', '/')}`);
}, 240_000);
afterAll(() => rmSync(site, { recursive: true, force: true }));

const unescaped = (text: string) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'");

/** The links of a page that do not lead to a file of the site, or not to a place in one. */
function broken(file: string, links: readonly string[]): string[] {
  return links.filter((link) => {
    const { origin, pathname, hash } = new URL(link, `http://site/${file}`);
    if (origin !== 'http://site') return !/^https?:$/.test(new URL(link).protocol);
    const target = decodeURIComponent(pathname)
      .slice(1)
      .replace(/(^|\/)$/, '$1index.html');
    if (!existsSync(join(site, target))) return true;
    const id = decodeURIComponent(hash.slice(1));
    // The gallery makes its pages by JavaScript.
    return id !== '' && target.startsWith('docs/') && !read(target).includes(`id="${id}"`);
  });
}

describe('the documentation', () => {
  test('has guides and a reference', () => {
    expect(files.filter((file) => file.startsWith('docs/documents/')).length).toBeGreaterThan(15);
    expect(files.filter((file) => file.startsWith('docs/classes/')).length).toBeGreaterThan(30);
  });

  test('has no link that leads nowhere', () => {
    const found = files.flatMap((file) => {
      const links = [...read(file).matchAll(/ (?:href|src)="([^"]*)"/g)].map(([, link]) => unescaped(link!));
      return broken(file, links).map((link) => `${file}: ${link}`);
    });
    expect(found).toEqual([]);
  });

  test('leads to the gallery from each page, and from each layer that it shows', () => {
    for (const file of files) expect(read(file)).toMatch(/<a href="(\.\.\/)+index\.html"[^>]*>Gallery<\/a>/);
    for (const { folder, layers } of pages.filter(({ folder }) => !['benchmark', 'save-and-load'].includes(folder))) {
      for (const layer of layers) {
        expect(read(`docs/classes/tfjs-normalizations.${layer}.html`)).toContain(`href="../../${folder}/index.html"`);
      }
    }
  });

  test('gives each page one title, and no two the same', () => {
    const titles = files.map((file) => /<title>([^<]*)/.exec(read(file))![1]!);
    expect(titles.filter((title, i) => titles.indexOf(title) !== i)).toEqual([]);
    const headings = files.map((file) => [file, read(file).match(/<h1\b/g)?.length]);
    expect(headings.filter(([, count]) => count !== 1)).toEqual([]);
  });
});

const absent = process.env.TEST_NO_BROWSER;
(absent ? describe.skip : describe)(
  absent ? `the site in a browser (absent: ${absent})` : 'the site in a browser',
  () => {
    let browser: Browser;
    let server: Server;
    let url: string;
    let page: Page;
    const complaints: string[] = [];
    beforeAll(async () => {
      ({ url, server } = await serve({}, { '/some/folder/': site }));
      browser = await connectToBrowser('look');
      page = await browser.newPage({ serviceWorkers: 'block' });
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('request', (request) => {
        if (!request.url().startsWith(url) && request.url().startsWith('http')) complaints.push(request.url());
      });
    });
    afterAll(async () => {
      await browser?.close();
      server?.close();
    });
    const open = (file: string) => page.goto(`${url}/some/folder/${file}`);

    test.each(['', ...pages.map(({ folder }) => folder)])(
      "the page '%s' of the gallery has no link that leads nowhere",
      async (folder) => {
        await open(`${folder && `${folder}/`}index.html?${folder && 'backend=wasm'}`);
        await page.locator('main:not([aria-busy=true])').waitFor({ state: 'attached', timeout: 120_000 });
        const links = await page.locator('a[href]').evaluateAll((all) => all.map((link) => link.getAttribute('href')!));
        expect(broken(`${folder && `${folder}/`}index.html`, links)).toEqual([]);
        expect(links.some((link) => link.endsWith('docs/index.html'))).toBe(true);
      },
      240_000,
    );

    test.each([
      ['light', 1280],
      ['dark', 1280],
      ['light', 375],
      ['dark', 375],
    ] as const)(
      'the documentation fits, %s, at %d px',
      async (colorScheme, width) => {
        await page.setViewportSize({ width, height: 812 });
        await page.emulateMedia({ colorScheme });
        for (const file of files.filter((file) =>
          /docs\/(index|documents\/.*|classes\/.*\.GroupNormalization)\.html$/.test(file),
        )) {
          await open(file);
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          expect([file, overflow <= 0]).toEqual([file, true]);
          if (/docs\/index|Backends|GroupNormalization/.test(file)) {
            const name = file.split('/').pop()!.replace('.html', '');
            await page.screenshot({ path: join(SCREENSHOTS, `docs-${name}-${width}-${colorScheme}.png`) });
          }
        }
      },
      120_000,
    );

    test.each([
      ['a name', 'groupNormalization', 'GroupNormalization'],
      ['a guide', 'Troubleshooting', 'Troubleshooting'],
      ['a word within a guide', 'OffscreenCanvas', 'Backends'],
    ])('the search finds %s', async (_, word, found) => {
      await page.setViewportSize({ width: 1280, height: 812 });
      await open('docs/index.html');
      await page.keyboard.press('/');
      await page.locator('#tsd-search-input').fill(word);
      await page.locator('#tsd-search-results li').filter({ hasText: found }).first().waitFor();
    });

    test('nothing complains, and nothing is asked of another host', () => expect(complaints).toEqual([]));
  },
);
