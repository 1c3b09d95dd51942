/** Pages of a user, in a browser: they leave a promise in `globalThis.result`. */
import { afterAll, describe } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { launchChromium } from './chromium.ts';
import { serve } from './server.ts';

export interface Visit<T> {
  readonly result: T;
  /** Of the console, and errors that nobody caught; without remarks of the graphics driver. */
  readonly errors: string[];
  readonly warnings: string[];
}

let browser: Promise<Browser> | undefined;

/** Opens the page `path` of a site, as `serve` takes it. A test file that does so calls `closePages`. */
export async function visit<T>(
  path: string,
  files: Record<string, string>,
  folders: Record<string, string> = {},
): Promise<Visit<T>> {
  browser ??= launchChromium('look');
  const { url, server } = await serve(files, folders);
  const context = await (await browser).newContext();
  try {
    const page = await context.newPage();
    const errors: string[] = [];
    const warnings: string[] = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
      if (message.type() === 'warning' && !message.text().includes('GL Driver')) warnings.push(message.text());
    });
    await page.goto(url + path);
    await page.waitForFunction('"result" in globalThis', undefined, { timeout: 240_000 }).catch(() => {
      throw new Error(`the page gave no result; its errors: ${errors.join('\n') || 'none'}`);
    });
    const result = (await page.evaluate('globalThis.result')) as T;
    return { result, errors, warnings };
  } finally {
    await context.close();
    server.close();
    server.closeAllConnections();
  }
}

/** `describe` for tests that call `visit`; skipped under a title that says why where there is no browser. */
export function describePages(title: string, body: () => void): void {
  const absent = process.env.TEST_NO_BROWSER;
  if (absent) describe.skip(`${title} (absent: ${absent})`, body);
  else describe(title, body);
}

/** Closes the browser after all tests of a file. */
export function closePages(): void {
  afterAll(async () => (await browser)?.close());
}
