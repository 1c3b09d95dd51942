/** Closes the browser that the setup started. */
export default async function teardown(): Promise<void> {
  await globalThis.stopBrowser?.();
}
