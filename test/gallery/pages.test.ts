/** What holds of every page of the gallery; what a page shows is tested in a file of its own. */
import { expect, test } from '@jest/globals';
import { pages } from '../../examples/gallery/pages.ts';
import { catalog } from '../../layers/catalog.ts';
import { describeGallery, screenshot, settled } from '../support/gallery.ts';

describeGallery('gallery', ({ open }) => {
  test('the start page leads to every page', async () => {
    const page = await open('');
    const links = await page.locator('main a').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
    expect(links).toEqual(pages.map(({ folder }) => `${folder}/index.html`));
    await screenshot(page, 'start');
  });

  test('all normalizations of the catalog are shown', () => {
    const shown = new Set<string>(pages.flatMap(({ layers }) => layers));
    expect(catalog.map(({ className }) => className).filter((name) => !shown.has(name))).toEqual([]);
  });

  test('a page runs on wasm by itself where webgl is drawn by software, and links to others without a choice', async () => {
    const page = await open('averages', { anyBackend: true });
    expect(await page.locator('select[name=backend]').inputValue()).toBe('wasm');
    expect(await page.locator('.device').textContent()).toBe('WebAssembly SIMD, one core');
    expect(await page.locator('nav a').first().getAttribute('href')).not.toContain('backend');
  });

  test.each(pages)('$folder explains itself, on every backend', async ({ folder, title, layers }) => {
    for (const backend of ['webgl', 'webgpu', 'wasm', 'cpu']) {
      const page = await open(folder, { settings: { backend } });
      expect(await page.locator('h1').textContent()).toBe(title);
      expect((await page.locator('.intro p').textContent())!.length).toBeGreaterThan(60);
      expect(await page.locator('select[name=backend]').inputValue()).toBe(backend);
      const text = await page.locator('body').textContent();
      for (const layer of layers) {
        const { formula, paper, use } = catalog.find(({ className }) => className === layer)!;
        for (const part of [formula, use]) expect(text).toContain(part);
        expect(await page.locator(`a[href="${paper.url}"]`).count()).toBeGreaterThan(0);
      }
      expect(await page.locator('details pre').first().textContent()).toContain(`folder: '${folder}'`);
    }
  });

  test.each(pages)('$folder fits a narrow screen, and is used by the keyboard', async ({ folder }) => {
    const page = await open(folder, { width: 360, height: 740, dark: true });
    await settled(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    await screenshot(page, `${folder}-narrow`);

    await page.setViewportSize({ width: 1200, height: 900 });
    const unnamed = await page.locator('main :is(button, input, select, canvas[tabindex])').evaluateAll((all) =>
      all
        .filter((control) => {
          const { labels, ariaLabel, textContent, title } = control as HTMLInputElement;
          return !(labels?.length || ariaLabel || textContent?.trim() || title);
        })
        .map(({ outerHTML }) => outerHTML),
    );
    expect(unnamed).toEqual([]);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.className)).toBe('skip');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    // What can be used in the page comes first after the skip link.
    expect(await page.evaluate(() => document.activeElement?.closest('main') !== null)).toBe(true);
  });
});
