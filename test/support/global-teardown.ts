/** Closes the browsers that the setup started. */
export default async function teardown(): Promise<void> {
  await globalThis.stopBrowsers?.();
}
