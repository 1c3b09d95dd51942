/** The site: the built gallery and the documentation in it, which `npm run docs` builds. No link of it leads nowhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { pages } from '../../examples/gallery/pages.ts';
import { launchChromium } from '../support/chromium.ts';
import { BUILT, brokenLinks, SCREENSHOTS } from '../support/gallery.ts';
import { serve } from '../support/server.ts';

const DOCS = join(BUILT, 'docs');
if (!existsSync(DOCS)) throw new Error('no documentation is built; npm run docs does it');
/** The pages of the documentation, from the root of the site. */
const files = readdirSync(DOCS, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.html'))
  .map((file) => `docs/${file.replaceAll('\\', '/')}`);
const read = (file: string) => readFileSync(join(BUILT, file), 'utf8');

const unescaped = (text: string) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'");

describe('the documentation', () => {
  test('has guides and a reference', () => {
    expect(files.filter((file) => file.startsWith('docs/documents/')).length).toBeGreaterThan(15);
    expect(files.filter((file) => file.startsWith('docs/classes/')).length).toBeGreaterThan(30);
  });

  test('has no link that leads nowhere', () => {
    const found = files.flatMap((file) => {
      const links = [...read(file).matchAll(/ (?:href|src)="([^"]*)"/g)].map(([, link]) => unescaped(link!));
      return brokenLinks(file, links).map((link) => `${file}: ${link}`);
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
      ({ url, server } = await serve({}, { '/some/folder/': BUILT }));
      browser = await launchChromium('look');
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

    test.each([
      ['light', 1280],
      ['dark', 1280],
      ['light', 375],
      ['dark', 375],
    ] as const)('the documentation fits, %s, at %d px', async (colorScheme, width) => {
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
    });

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
