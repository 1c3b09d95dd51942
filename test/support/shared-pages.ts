/**
 * Pages that all test files share: to compile a program takes a GPU in software a hundred times as long as to run it, and what one file
 * has compiled serves the next. The process of the global setup keeps the pages, and runs the cases that workers send to it, in each page
 * one after the other.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { deserialize, serialize } from 'node:v8';
import type { Browser, Page } from 'playwright-core';

/** The page that a case runs in. */
export interface PageOptions {
  /** TensorFlow.js's name of it. */
  readonly backend: string;
  readonly flags: Readonly<Record<string, number | boolean>>;
  /** Where threads may share memory. */
  readonly isolated: boolean;
  /** The name of a page that is shared with nobody else, as a case that loses the GPU must have it. */
  readonly own?: string | undefined;
}

type Call = { readonly page: PageOptions; readonly caseName: string; readonly args: unknown };
type Answer = { readonly result: unknown } | { readonly error: string };

class SharedPage {
  readonly #open: () => Promise<Page>;
  readonly #errors: Error[] = [];
  #page: Promise<Page> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(open: () => Promise<Page>) {
    this.#open = open;
  }

  /** Runs a case after those that came before. */
  run(caseName: string, args: unknown): Promise<unknown> {
    const result = this.#last.then(() => this.#runNow(caseName, args));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #runNow(caseName: string, args: unknown): Promise<unknown> {
    this.#page ??= this.#open().then((page) => {
      page.on('pageerror', (error) => this.#errors.push(error));
      page.on('crash', () => {
        this.#page = undefined; // the next case gets a new one
      });
      return page;
    });
    const page = await this.#page;
    const result = await page.evaluate(
      ([caseName, args]) => globalThis.testPage.runCase(caseName as never, args as never),
      [caseName, args] as const,
    );
    this.check();
    return result;
  }

  /** Throws what the page has thrown and nobody caught. */
  check(): void {
    const [error] = this.#errors.splice(0);
    if (error) throw error;
  }
}

/** Serves cases to workers; returns the address, and what ends it. */
export async function sharePages(
  { forWebGL, forWebGPU }: Readonly<Record<'forWebGL' | 'forWebGPU', Browser>>,
  urls: { readonly usual: string; readonly isolated: string },
): Promise<{ url: string; close(): void }> {
  const pages = new Map<string, SharedPage>();
  const open = async ({ backend, flags, isolated }: PageOptions) => {
    // A browser draws for all its pages in one process: those of webgl and those of webgpu shall not wait for each other.
    const page = await (backend === 'webgpu' ? forWebGPU : forWebGL).newPage();
    await page.goto(isolated ? urls.isolated : urls.usual);
    await page.evaluate(([backend, flags]) => globalThis.testPage.useBackend(backend, flags), [
      backend,
      flags,
    ] as const);
    return page;
  };
  const answer = async (request: IncomingMessage): Promise<Answer> => {
    try {
      const { page: options, caseName, args } = deserialize(await buffer(request)) as Call;
      const key = JSON.stringify(options);
      const page = pages.get(key) ?? new SharedPage(() => open(options));
      pages.set(key, page);
      return { result: await page.run(caseName, args) };
    } catch (error) {
      return { error: String(error instanceof Error ? (error.stack ?? error.message) : error) };
    }
  };
  const server = createServer((request, response) => {
    answer(request).then((given) => response.end(serialize(given)));
  });
  server.requestTimeout = 0;
  server.keepAliveTimeout = 0; // or a worker may send a case just as its connection is closed
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
      for (const page of pages.values()) page.check();
    },
  };
}

/** Runs a case in a page; called by a worker. */
export async function runInPage(page: PageOptions, caseName: string, args: unknown): Promise<unknown> {
  const call: Call = { page, caseName, args };
  const response = await fetch(process.env.TEST_CASES!, { method: 'POST', body: serialize(call) });
  const answer = deserialize(Buffer.from(await response.arrayBuffer())) as Answer;
  if ('error' in answer) throw new Error(answer.error);
  return answer.result;
}
