/** A result in a link: `#result=...` holds what was measured, for whoever opens it. */
import { names, type Result } from './contests.ts';

export interface Shared {
  readonly date: string;
  readonly backend: string;
  readonly device: string;
  readonly results: readonly Result[];
}

/** Letters that an address may hold as they are. */
const encode = (text: string): string =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
const decode = (text: string): string =>
  new TextDecoder().decode(
    Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0)),
  );

/** Three digits of each time are enough. */
const short = (times: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(times).map(([name, time]) => [name, Number(time.toPrecision(3))]));

export function linkTo({ results, ...others }: Shared): string {
  const url = new URL(location.href);
  url.hash = `result=${encode(JSON.stringify({ ...others, results: results.map((one) => ({ ...one, us: short(one.us) })) }))}`;
  return url.href;
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length < 300;
const areNumbers = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.values(value).every((one) => Number.isFinite(one) && one >= 0);
const isResult = ({ name, shape, us, draws }: Partial<Result>): boolean =>
  names.some((known) => known === name) &&
  Array.isArray(shape) &&
  shape.every((size) => Number.isInteger(size)) &&
  areNumbers(us) &&
  (draws === undefined || areNumbers(draws));

/** What the address shares: undefined if nothing, null if it is damaged. */
export function sharedResult(): Shared | undefined | null {
  const text = /^#result=(.+)/.exec(location.hash)?.[1];
  if (text === undefined) return undefined;
  try {
    const shared = JSON.parse(decode(text)) as Shared;
    const { date, backend, device, results } = shared;
    return [date, backend, device].every(isText) && results.length > 0 && results.every(isResult) ? shared : null;
  } catch {
    return null;
  }
}
