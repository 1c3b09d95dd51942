/** The results that the repository holds, to look at before the first run. */
import { softwareNote } from '../../benchmark/format.js';
import published from '../../benchmark/results.json';
import { names, type Result } from './contests.ts';

interface Published {
  readonly date: string;
  readonly machine: { readonly cpu: string };
  readonly backends: Readonly<Record<string, { readonly device: string; readonly measurements: readonly Result[] }>>;
}

/** Those of the backend: where they come from, and what was measured. */
export function publishedResults(backend: string): { source: string; results: readonly Result[] } | undefined {
  const { date, machine, backends } = published as unknown as Published;
  const measured = backends[backend];
  if (!measured) return undefined;
  const { device, measurements } = measured;
  const drawnBy = device === machine.cpu ? '' : `, drawn by ${device}`;
  return {
    source: `Not yet yours: results of ${date} on ${machine.cpu}${drawnBy}. ${softwareNote(device) ?? ''}`,
    results: measurements.filter(({ name }) => names.includes(name)),
  };
}
