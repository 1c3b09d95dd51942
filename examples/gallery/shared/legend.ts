/** Which colour is what, in letters that can be read: for pictures and charts alike. */
import { element } from './dom.ts';

export interface LegendEntry {
  readonly name: string;
  readonly color: string;
  /** A dot for points, a dashed line for a comparison; a square else. */
  readonly mark?: 'dot' | 'dashes';
}

export const legend = (entries: readonly LegendEntry[]): HTMLElement =>
  element(
    'ul',
    { className: 'legend' },
    ...entries.map(({ name, color, mark = 'square' }) =>
      element('li', { className: mark, style: `--color: ${color}` }, name),
    ),
  );
