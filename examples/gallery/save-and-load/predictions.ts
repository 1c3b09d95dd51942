/** Ten digits, and the probabilities that the model gives them: bars for now, marks for what was saved. */
import { type Digits, part } from '../shared/digits.ts';
import { element } from '../shared/dom.ts';
import { drawPictures } from '../shared/pictures.ts';

type Predictions = readonly (readonly number[])[];

function picture(digits: Digits, at: number): HTMLCanvasElement {
  const canvas = element('canvas', { role: 'img', 'aria-label': `A ${digits.labels[at]}` });
  drawPictures(canvas, part(digits, at, at + 1).pixels, 1, 1);
  return canvas;
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;

function bar(label: number, share: number, saved: number | undefined, isRight: boolean): HTMLElement {
  const title = saved === undefined ? percent(share) : `${percent(share)}, when saved ${percent(saved)}`;
  return element(
    'div',
    { className: `bar-row${isRight ? ' right' : ''}`, title: `${label}: ${title}` },
    element('span', {}, String(label)),
    element(
      'span',
      { className: 'track' },
      element('i', { className: 'now', style: `width: ${100 * share}%` }),
      saved !== undefined && element('b', { className: 'then', style: `left: ${100 * saved}%` }),
    ),
  );
}

export interface PredictionsView {
  readonly element: HTMLElement;
  draw(digits: Digits, now: Predictions, saved?: Predictions): void;
}

export function predictionsView(): PredictionsView {
  const holder = element('div', { className: 'predictions' });
  return {
    element: holder,
    draw(digits, now, saved) {
      const cards = now.map((row, i) => {
        const label = digits.labels[i];
        const said = row.indexOf(Math.max(...row));
        const verdict = said === label ? 'says' : 'wrongly says';
        return element(
          'div',
          { className: 'prediction' },
          element(
            'div',
            {},
            picture(digits, i),
            element(
              'p',
              { className: said === label ? 'good' : 'bad' },
              `${verdict} ${said}, `,
              element('span', {}, percent(row[said])),
            ),
          ),
          element('div', { className: 'bars' }, ...row.map((share, k) => bar(k, share, saved?.[i][k], k === label))),
        );
      });
      holder.replaceChildren(...cards);
    },
  };
}

/** The largest difference of two probabilities. */
export const differenceOf = (a: Predictions, b: Predictions): number =>
  Math.max(...a.flatMap((row, i) => row.map((value, k) => Math.abs(value - b[i][k]))));
