/**
 * Runs that were trained before: `recorded.json` in the folder of a page, written by `npm run record`, which presses the page's own
 * button. They are shown, and marked as recorded, until the reader trains.
 */
import { given } from './address.ts';

export interface Recording<Data> {
  /** The day. */
  readonly date: string;
  /** The processor. */
  readonly machine: string;
  readonly backend: string;
  /** Of the page, as the address holds them. */
  readonly settings: Readonly<Record<string, string>>;
  readonly data: Data;
}

/** Whether a recorded run is what the address asks for: the named settings are those of the recording, or not given. */
export const isAskedFor = ({ settings }: Recording<unknown>, names: readonly string[]): boolean =>
  names.every((name) => given(name) === null || given(name) === settings[name]);

/** Instead of a recorded run, where the address asks for another. */
export const NOT_TRAINED = 'The link asks for networks that nobody has trained yet: these are they, before they learn.';

export async function loadRecording<Data>(address: string): Promise<Recording<Data>> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the recorded run could not be loaded: ${response.status}`);
  return response.json();
}

/** Shows a recorded run. A page without one works as well: the reader can train. */
export async function showIfThere(show: () => Promise<void>): Promise<void> {
  await show().catch((error) => console.warn('No recorded run is shown.', error));
}

/** Where a recorded run comes from. */
export const provenance = ({ date, machine, backend, settings }: Recording<unknown>, button: string): string =>
  `Recorded on ${date}, with seed ${settings.seed ?? 1} on ${backend}, ${machine}. ‘${button}’ trains anew, here.`;

/** Bytes as text, for pictures in a recording. */
export const packed = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
export const unpacked = (text: string): Uint8Array => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Numbers between two bounds, as bytes: a recording is to be looked at, not computed with. */
export const toBytes = (values: Float32Array, low: number, high: number): Uint8Array =>
  Uint8Array.from(values, (value) => Math.round(255 * Math.min(1, Math.max(0, (value - low) / (high - low)))));
export const fromBytes = (bytes: Uint8Array, low: number, high: number): Float32Array =>
  Float32Array.from(bytes, (byte) => low + (byte / 255) * (high - low));
