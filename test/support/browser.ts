/** Connects a test worker to a browser that the global setup has started. */
import type { Browser } from 'playwright-core';

/** The browser of this worker. A browser draws for all its pages in one process, so workers that share one wait for each other. */
export async function connectToBrowser(): Promise<Browser> {
  const { chromium } = await import('playwright-core'); // large: files that open no page need not load it
  const endpoints = process.env.TEST_BROWSERS!.split(' ');
  return chromium.connect(endpoints[(Number(process.env.JEST_WORKER_ID) - 1) % endpoints.length]!);
}
