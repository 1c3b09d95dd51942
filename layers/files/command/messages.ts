/** Mistakes in the command line, and messages of the package in the words of the command line. */

/** A mistake in the command line: exit code 2. */
export class UsageError extends Error {}

/** Options as the functions of the package call them, and as the command does. */
const OPTIONS: readonly (readonly [inCode: string, here: string])[] = [
  ["mode: 'plain'", '--plain'],
  ['channelsLast: true', '--channels-last'],
  ["modules: {layer: 'module'}", '--module LAYER=MODULE'],
  // The command loads whole models only.
  ['; strict: false leaves out what does not fit', ''],
];

/** The message of an error in one line. */
export function lineOf(error: unknown): string {
  const { message = String(error), code } = error as { readonly message?: string; readonly code?: string };
  const [, missing] = /Cannot find package '(.+?)'/.exec(message) ?? [];
  if (missing !== undefined && (code === 'ERR_MODULE_NOT_FOUND' || /could not be loaded/.test(message))) {
    return `the package ${missing} is missing; npm install @tensorflow/tfjs h5wasm fflate`;
  }
  const line = message.replace(/\s*\n\s*/g, ' ').trim();
  return OPTIONS.reduce((text, [inCode, here]) => text.replaceAll(inCode, here), line);
}
