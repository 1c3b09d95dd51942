/**
 * The order of test files: the longest projects first, so that no worker is left with one of their files when the others have ended; and
 * those that wait for a GPU in software side by side with those that do not.
 */
import Sequencer from '@jest/test-sequencer';

/** Files of the gallery are long ones, those of `unit` are short. Within a project Jest sorts, by duration if it knows it. */
const ORDER = ['gallery', 'package', 'unit'];
const nameOf = (test) => test.context.config.displayName.name;
const rank = (test) => ORDER.indexOf(nameOf(test));

export default class Alternating extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const waiting = sorted.filter((test) => nameOf(test) === 'backends');
    const others = sorted.filter((test) => nameOf(test) !== 'backends').sort((a, b) => rank(a) - rank(b));
    const length = Math.max(waiting.length, others.length);
    return Array.from({ length }, (_, i) => [waiting[i], others[i]])
      .flat()
      .filter(Boolean);
  }
}
