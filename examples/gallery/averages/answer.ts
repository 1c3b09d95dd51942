/** What the layer itself says, by its gradient, of whether the picture is right. */
import { element } from '../shared/dom.ts';
import { latest } from '../shared/latest.ts';
import { showMemory } from '../shared/memory.ts';
import type { Cell } from './cells.ts';
import { dependence } from './normalize.ts';
import { litBy, type Result } from './result.ts';

export function answer() {
  const measured = element('p', { className: 'measured' }, 'The layer is being asked …');
  let question: readonly [Result, Cell];

  const askLatest = latest(async () => {
    measured.ariaBusy = 'true';
    const [result, chosen] = question;
    const lit = litBy(result, chosen);
    const depends = await dependence(result.name, result.settings, result.shape, chosen);
    const count = depends.reduce((sum, one) => sum + one, 0);
    const wrong = depends.reduce((sum, one, i) => sum + (one === (lit[i] > 0 ? 1 : 0) ? 0 : 1), 0);
    measured.dataset.count = String(count);
    measured.dataset.wrong = String(wrong);
    measured.textContent =
      `Asked for its gradient, the layer says that this output depends on ${count.toLocaleString('en')} inputs: ` +
      (wrong === 0 ? 'those in colour.' : `all but ${wrong} as in colour.`);
    measured.ariaBusy = 'false';
    showMemory();
  });
  return {
    element: measured,
    ask(result: Result, chosen: Cell): void {
      question = [result, chosen];
      void askLatest();
    },
  };
}
