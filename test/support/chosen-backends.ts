/** The backends that tests run on: all of them, or those that the variable BACKENDS lists, as in `BACKENDS=cpu,webgl`. */
export const BACKEND_NAMES = [
  'cpu',
  'wasm',
  'tensorflow',
  'tensorflow-ops',
  'browser-cpu',
  'browser-wasm',
  'threaded-wasm',
  'webgl',
  'webgpu',
] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

const list = process.env.BACKENDS;
const chosen = list ? list.split(',').map((name) => name.trim()) : BACKEND_NAMES;

/** @throws if BACKENDS lists a name that is none */
export function checkChoice(): void {
  const unknown = chosen.filter((name) => !(BACKEND_NAMES as readonly string[]).includes(name));
  if (unknown.length > 0) {
    throw new Error(`BACKENDS: there is no backend '${unknown}'; the names are ${BACKEND_NAMES.join(', ')}`);
  }
}

/** Why none of these backends is to be tested, if BACKENDS lists none of them. */
export const leftOut = (...names: BackendName[]): string | undefined =>
  names.some((name) => (chosen as readonly string[]).includes(name)) ? undefined : `BACKENDS is ${list}`;
