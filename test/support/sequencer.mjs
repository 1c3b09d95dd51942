/** The order of test files: the longest first, so that no worker is left with one of them when the others have ended. */
import Sequencer from '@jest/test-sequencer';

/** Files of the gallery are long ones, those of `unit` are short. Within a project Jest sorts, by duration if it knows it. */
const ORDER = ['gallery', 'backends', 'package', 'unit'];
const rank = (test) => ORDER.indexOf(test.context.config.displayName.name);

export default class LongestFirst extends Sequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
}
