/** What holds of every page of the gallery; what a page shows is tested in a file of its own. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { pages } from '../../examples/gallery/pages.ts';
import { catalog } from '../../layers/catalog.ts';
import { BUILT, brokenLinks, describeGallery, screenshot, settled, watched } from '../support/gallery.ts';

declare const window: {
  gallery: { settings(): Record<string, string> };
  axe: {
    run(options: {
      runOnly?: readonly string[];
    }): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
  };
};
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const CLAIMS = Object.keys(
  JSON.parse(readFileSync(join(__dirname, '../../examples/gallery/claims/recorded.json'), 'utf8')),
);
/** The start page too. */
const all = ['', ...pages.map(({ folder }) => folder)];
const nameOf = (folder: string) => folder || 'start';

/** With the rules of axe that are tried there; none stands for all. Themes differ in colors alone. */
const THEMES = { light: [], dark: ['color-contrast', 'link-in-text-block'] };

/** What axe finds, by all of its rules or by some, in the words of a developer. */
async function violations(page: Page, runOnly: readonly string[]): Promise<string[]> {
  const options = runOnly.length > 0 ? { runOnly } : {};
  const found = await page.evaluate(async (options) => (await window.axe.run(options)).violations, options);
  return found.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
}

describe('the build', () => {
  test.each(all)("'%s' loads at most 450 KB of JavaScript before it shows something", (folder) => {
    const html = readFileSync(join(BUILT, folder, 'index.html'), 'utf8');
    const scripts = [...html.matchAll(/(?:src|href)="([^"]+\.js)"/g)].map(([, path]) => join(BUILT, folder, path!));
    const sizes = scripts.map((path) => gzipSync(readFileSync(path)).length);
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(450e3);
  });

  test.each(all)("'%s' describes itself to search engines, messages, and browsers without JavaScript", (folder) => {
    const html = readFileSync(join(BUILT, folder, 'index.html'), 'utf8');
    for (const name of ['name="description"', 'property="og:title"', 'property="og:image"']) {
      expect(html).toMatch(new RegExp(`<meta ${name} content="[^"]{10,}"`));
    }
    expect(html).toMatch(/<title>[^<]{10,}<\/title>/);
    expect(html).toMatch(/<noscript><h1>[^<]+<\/h1><p>[^<]{40,}/);
  });

  test('the digits to look at are in a small file of their own', () => {
    const sizes = readdirSync(join(BUILT, 'assets'))
      .filter((file) => file.startsWith('digits-') && file.endsWith('.bin'))
      .map((file) => readFileSync(join(BUILT, 'assets', file)).length);
    expect(sizes.sort((a, b) => a - b)).toEqual([1000 * 785, 7000 * 785]);
  });
});

describeGallery('gallery', ({ open }) => {
  /** When each page showed its first picture, after the start of its script. */
  const pictures: string[] = [];
  afterAll(() => console.info(`First pictures:\n${pictures.join('\n')}`));

  test('the start page leads to every page', async () => {
    const page = await open('');
    const links = await page.locator('main a.tile').evaluateAll((all) => all.map((link) => link.getAttribute('href')));
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

  test.each(pages)('$folder explains itself on every backend; on wasm the next test looks closer', async (page) => {
    for (const backend of ['webgl', 'webgpu', 'cpu']) {
      await expectExplained(await open(page.folder, { settings: { backend } }), page, backend);
    }
  });

  test.each(all)(
    "'%s' opens without a jump, shows something at once, is accessible, leads somewhere, and takes every setting",
    async (folder) => {
      const page = await open(folder, { width: 1280, height: 900, watch: true });
      const settings = await page.evaluate(() => window.gallery.settings()); // before the tour of the start page moves on
      await expectSteady(page, `${nameOf(folder)}-1280`);
      const [about] = pages.filter((one) => one.folder === folder);
      if (about) {
        await expectExplained(page, about, 'wasm');
        await expectUsedByKeyboard(page);
      }
      await expectLinks(page, folder);
      await expectSettingsInAddress(page, folder, settings);
    },
  );

  test.each(all)(
    "'%s' opens without a jump, shows something at once, and is accessible, on a phone at night",
    async (folder) => {
      const page = await open(folder, { width: 375, height: 812, dark: true, watch: true });
      await expectSteady(page, `${nameOf(folder)}-375`);
      expect(
        await page.evaluate(() => document.querySelector('main')!.getBoundingClientRect().top),
      ).toBeLessThanOrEqual(250);
    },
  );

  async function expectExplained(page: Page, about: (typeof pages)[number], backend: string): Promise<void> {
    expect(await page.locator('h1').textContent()).toBe(about.title);
    expect((await page.locator('.intro p').textContent())!.length).toBeGreaterThan(60);
    expect(await page.locator('select[name=backend]').inputValue()).toBe(backend);
    const text = await page.locator('body').textContent();
    for (const layer of about.layers) {
      const { formula, paper, use } = catalog.find(({ className }) => className === layer)!;
      for (const part of [formula, use]) expect(text).toContain(part);
      expect(await page.locator(`a[href="${paper.url}"]`).count()).toBeGreaterThan(0);
    }
    expect(await page.locator('details pre').first().textContent()).toContain(`folder: '${about.folder}'`);
  }

  /** Of a page that has just opened, which nobody has touched. */
  async function expectSteady(page: Page, title: string): Promise<void> {
    await settled(page);
    const { shift, firstPicture } = await watched(page);
    expect(shift <= 0.05 ? 'small' : shift).toBe('small');
    pictures.push(`${title} px: ${Math.round(firstPicture)} ms`);
    expect(firstPicture).toBeLessThan(Number.POSITIVE_INFINITY); // without a click; how soon depends on the machine
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    const cut = await page
      .locator('figure .table')
      .evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth).length);
    expect(cut).toBe(0);
    await page.addScriptTag({ content: AXE });
    for (const [colorScheme, rules] of Object.entries(THEMES)) {
      await page.emulateMedia({ colorScheme: colorScheme as keyof typeof THEMES });
      await screenshot(page, `${title}-${colorScheme}`);
      expect(await violations(page, rules)).toEqual([]);
    }
  }

  async function expectLinks(page: Page, folder: string): Promise<void> {
    const links = await page.locator('a[href]').evaluateAll((all) => all.map((link) => link.getAttribute('href')!));
    expect(brokenLinks(`${folder && `${folder}/`}index.html`, links)).toEqual([]);
    expect(links.some((link) => link.endsWith('docs/index.html'))).toBe(true);
  }

  /** Every setting is taken from the address, and the page gives a link with all of them; of a wrong one it says so. */
  async function expectSettingsInAddress(page: Page, folder: string, settings: Record<string, string>): Promise<void> {
    const others = await otherSettings(page, settings);
    expect(Object.keys(others)).toEqual(Object.keys(settings));
    expect(Object.entries(others).filter(([name, value]) => settings[name] === value)).toEqual([]);

    const linked = await open(folder, { settings: others });
    expect(await linked.locator('.refused').count()).toBe(0);
    expect(await linked.evaluate(() => window.gallery.settings())).toEqual(others);
    // What the link of the page holds is the same again.
    await linked.evaluate(() =>
      Object.assign(navigator.clipboard, {
        writeText: async (text: string) => void Object.assign(globalThis, { copied: text }),
      }),
    );
    await linked.locator('.copy-link').click();
    const copied = await linked.waitForFunction(() => (globalThis as { copied?: string }).copied);
    const { backend: _, ...held } = Object.fromEntries(new URL((await copied.jsonValue())!).searchParams);
    expect(held).toEqual(others);

    const wrong = Object.fromEntries(Object.keys(settings).map((name) => [name, 'nonsense,-1']));
    const refusing = await open(folder, { settings: { ...wrong, typo: 1 } });
    expect(await refusing.evaluate(() => window.gallery.settings())).toEqual(settings);
    const sentences = await refusing.locator('.refused p').allTextContents();
    for (const name of Object.keys(settings)) {
      expect(sentences).toContainEqual(
        expect.stringMatching(new RegExp(`^The address says ${name}=nonsense,-1, but .+ is used\\.$`)),
      );
    }
    expect(sentences).toContain('This page has no setting ‘typo’, which the address gives.');
  }

  test('a change goes into the address, and stays when the backend changes', async () => {
    const page = await open('critic');
    await page.locator('select[name=data]').selectOption('moons');
    await page.locator('input[name=seed]').fill('3');
    await page.waitForFunction(() => location.search.includes('seed=3'));
    await Promise.all([page.waitForEvent('load'), page.locator('select[name=backend]').selectOption('cpu')]);
    const query = Object.fromEntries(new URL(page.url()).searchParams);
    expect(query).toEqual({ backend: 'cpu', data: 'moons', seed: '3' });
    await page.locator('select[name=data]').waitFor();
    expect(await page.locator('select[name=data]').inputValue()).toBe('moons');
  });

  test('a training is gone through step by step, paused, slowed down, and the focus stays', async () => {
    const page = await open('critic', { settings: { steps: 40, critic: 1 } });
    const task = page.locator('.task');
    const line = task.locator('output');
    const press = (name: string) => page.getByRole('button', { name, exact: true }).press('Enter');
    const paused = task.and(page.locator('[data-state=paused]'));
    for (const step of [1, 2]) {
      await press('One step');
      await line.filter({ hasText: new RegExp(`^Step ${step} of 40`) }).waitFor();
      await paused.waitFor();
    }
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('One step');
    await page.locator('select[name=speed]').selectOption('medium');
    await press('Continue');
    await line.filter({ hasText: /^Step [45] of 40/ }).waitFor();
    await press('Pause');
    await paused.waitFor();
    const at = await line.textContent();
    await page.waitForTimeout(300);
    expect(await line.textContent()).toBe(at);
    await page.locator('select[name=speed]').selectOption('fast');
    await press('Continue');
    await task.and(page.locator('[data-state=done]')).waitFor();
    await page.getByRole('button', { name: 'Train both' }).focus();
    await page.keyboard.press('Enter');
    await task.and(page.locator('[data-state=running]')).waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Train both');
    await press('Stop');
    await task.and(page.locator('[data-state=stopped]')).waitFor();
  });

  test('recorded runs say that they are, and a training replaces them', async () => {
    for (const folder of [
      'critic',
      'attention',
      'gates',
      'batch-size',
      'reparameterization',
      'federated',
      'save-and-load',
    ]) {
      const page = await open(folder);
      const recording = page.locator('.task[data-recorded] output').first();
      expect(await recording.textContent()).toMatch(
        /Recorded on \d{4}-\d\d-\d\d, with seed 1 on wasm, .+ trains anew, here\./,
      );
    }
    const page = await open('save-and-load', { settings: { steps: 1 } });
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await page.locator('.task[data-state=done]').waitFor();
    expect(await page.locator('.task[data-recorded]').count()).toBe(0);
  });

  test('works without a network after the first visit', async () => {
    const page = await open('critic', { offline: true });
    await page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          const { serviceWorker } = navigator;
          serviceWorker.addEventListener('message', ({ data }) => data === 'kept' && resolve());
          serviceWorker.startMessages();
          // The page may have told before this listened: again costs nothing.
          serviceWorker.ready.then(({ active }) =>
            active!.postMessage([
              location.href.split(/[?#]/)[0],
              ...performance.getEntriesByType('resource').map(({ name }) => name),
            ]),
          );
        }),
    );
    await page.context().setOffline(true);
    await page.goto(`${page.url().split('?')[0]}?seed=2`);
    await page.locator('main:not([aria-busy=true])').waitFor({ state: 'attached' });
    expect(await page.locator('select[name=backend]').inputValue()).toBe('wasm');
    expect(await page.locator('.charts svg').count()).toBe(2);
    // Every page was kept, and what it needs to start.
    await page.goto(page.url().replace(/critic\/index.html.*/, 'index.html'));
    await page.locator('main:not([aria-busy=true])').waitFor({ state: 'attached' });
    expect(await page.locator('.tour .lit').count()).toBeGreaterThan(10);
  });

  test('the chooser answers every question with a normalization, its code and a page that shows it', async () => {
    const page = await open('');
    const answers = new Set<string>();
    const cited = new Set<string>();
    const optionsOf = (name: string) =>
      page
        .locator(`select[name=${name}] option`)
        .evaluateAll((all) => all.map((one) => (one as HTMLOptionElement).value));
    for (const network of await optionsOf('network')) {
      await page.locator('select[name=network]').selectOption(network);
      for (const data of await optionsOf('data')) {
        await page.locator('select[name=data]').selectOption(data);
        for (const batch of await optionsOf('batch')) {
          await page.locator('select[name=batch]').selectOption(batch);
          const answer = page.locator('.answer');
          answers.add((await answer.getAttribute('data-answer'))!);
          expect(await answer.locator('a[href$="index.html"]').count()).toBeGreaterThan(0);
          const evidence = await answer
            .locator('a[href^="claims/"]')
            .evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).hash));
          for (const hash of evidence) cited.add(hash.slice(1));
        }
      }
    }
    // All others of the first twelve were put to the test.
    expect([...cited].filter((id) => !CLAIMS.includes(id))).toEqual([]);
    expect(cited.size).toBe(11);
    // Query-key normalization, one of the first twelve, stands beside another one, as what else is worth a try.
    const known = catalog.map(({ className }) => className);
    expect([...answers].filter((name) => !known.includes(name))).toEqual([]);
    expect(known.slice(0, 12).filter((name) => !answers.has(name))).toEqual(['QKNormalization']);
  });

  test('the tour of the start page moves by itself until it is touched, and not for those who want no motion', async () => {
    const page = await open('');
    const picture = () => page.locator('.tour .cube').innerHTML();
    const first = await picture();
    await page.waitForFunction((first) => document.querySelector('.tour .cube')!.innerHTML !== first, first);
    await page.getByRole('tab', { name: 'Instance' }).click();
    await page.waitForFunction(() => location.search.includes('norm=InstanceNormalization'));
    const touched = await picture();
    expect(await page.locator('.tour .lit').count()).toBe(6);
    await page.waitForTimeout(2000);
    expect(await picture()).toBe(touched);
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('tab', { selected: true }).textContent()).toBe('Group');
    expect(await page.locator('.tour .lit').count()).toBe(18);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.reload();
    await page.locator('.tour .lit').first().waitFor();
    const still = await picture();
    await page.waitForTimeout(2000);
    expect(await picture()).toBe(still);
  });

  async function expectUsedByKeyboard(page: Page): Promise<void> {
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
  }
});

/** For every setting another value than the one that it has, as the controls of the page offer it. */
async function otherSettings(page: Page, settings: Record<string, string>): Promise<Record<string, string>> {
  const special: Record<string, string> = {
    sequence: '0123456789',
    styles: '3,8',
    amounts: '20,60',
    photo: 'coffee',
    norm: 'GroupNormalization',
    cell: '1,5,7,4',
  };
  const others: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings)) {
    const offered = await page.evaluate((name) => {
      const controls = Array.from(document.querySelectorAll(`main [name="${name}"]`)) as HTMLInputElement[];
      const [first] = controls;
      if (first instanceof HTMLSelectElement)
        return Array.from((first as HTMLSelectElement).options, ({ value }) => value);
      if (first?.type === 'checkbox') return controls.map(({ value }) => value);
      return first?.type === 'range' ? [first.min, first.max] : [];
    }, name);
    const other = [...offered].reverse().find((one) => one !== value);
    others[name] = offered.length > 0 ? other! : special[name]!;
  }
  return others;
}
