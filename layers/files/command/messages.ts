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

/** Runs what reads a file: its errors begin with the name of the file, and not with the function of the package that found them. */
export async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const found = error as Error;
    const message = found.message.replace(/^(inspect|load\w+): /, '');
    found.message = message.includes(path) ? message : `${path}: ${message}`;
    throw found;
  }
}

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
