/** When a page stands: all that it draws without being asked is there. Its script has begun at the mark 'script'. */
import { refused } from './address.ts';
import { element } from './dom.ts';

const awaited: (() => Promise<unknown>)[] = [];

/** The page does not stand before this work is done. It begins when all parts are in the page, and have their sizes. */
export const waitFor = (work: () => Promise<unknown>): void => void awaited.push(work);

/** To be called when all parts are in the page: says what was refused, and that the page is busy no more. */
export async function stands(main: HTMLElement): Promise<void> {
  const sentences = refused();
  if (sentences.length > 0) {
    const list = sentences.map((sentence) => element('p', {}, sentence));
    main.prepend(element('div', { className: 'refused', role: 'alert' }, ...list));
  }
  await Promise.all(awaited.splice(0).map((work) => work()));
  main.ariaBusy = 'false';
}
