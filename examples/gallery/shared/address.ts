/**
 * The address holds the settings of a page: `?batch=4`. It is read once, when a control is made, and follows every change, so
 * that it can be kept and shared. What it says and the page does not understand is refused in words, never silently.
 */

/** How each setting of this page is written now, by its name in the address. */
const settings = new Map<string, () => string>();
const refusals: string[] = [];
/** Names that every page knows. */
const COMMON = ['backend'];

/** A setting that the address gives: `?batch=4`. */
export const given = (name: string): string | null => new URLSearchParams(location.search).get(name);

/** Names a setting and how it is written, so that a link can hold it. */
export const register = (name: string, written: () => string): void => void settings.set(name, written);

/** Says later, when the page stands, that a setting in the address was not understood. */
export const refuse = (name: string, rule: string, used: string): void =>
  void refusals.push(`The address says ${name}=${given(name)}, but ${rule}. ${used} is used.`);

let waiting: ReturnType<typeof setTimeout> | undefined;
const changed = new Set<string>();

/** Writes a setting into the address after a change: not at once, since browsers refuse hundreds of changes in a row. */
export function keep(name: string): void {
  changed.add(name);
  waiting ??= setTimeout(writeChanges, 150);
}

/** The address with these settings as they are now. */
function addressWith(names: Iterable<string>): URL {
  const url = new URL(location.href);
  for (const name of names) {
    const written = settings.get(name)?.();
    if (written !== undefined) url.searchParams.set(name, written);
  }
  // Lists are read by people, too: commas stay commas.
  url.search = url.search.replaceAll('%2C', ',');
  return url;
}

/** Writes what has changed into the address now. */
export function writeChanges(): void {
  clearTimeout(waiting);
  waiting = undefined;
  history.replaceState(null, '', addressWith(changed));
  changed.clear();
}

/** A link that holds every setting, those at their defaults too: it shows the same wherever it is opened. */
export function fullLink(): string {
  writeChanges();
  return addressWith(settings.keys()).href;
}

/** What was refused, with names that the page does not have. */
export function refused(): readonly string[] {
  const unknown = [...new URLSearchParams(location.search).keys()].filter(
    (name) => !settings.has(name) && !COMMON.includes(name),
  );
  return [...refusals, ...unknown.map((name) => `This page has no setting ‘${name}’, which the address gives.`)];
}

/** All settings as they are written now. */
export const allSettings = (): Record<string, string> =>
  Object.fromEntries([...settings].map(([name, written]) => [name, written()]));
