/** Where the gates go when the same pictures are asked for their digit, and for their style. */
import type { SwitchableNormalization } from 'tfjs-normalizations';
import { buildNetwork, disposeOf, type Kind, rhos, sourceWeights, trainStep } from '../gates/networks.ts';
import { paint, type Question } from '../gates/pictures.ts';
import { random } from '../shared/random.ts';
import type { Run } from './claim.ts';

const STEPS = 40;
const BATCH = 16;
const RATE = 0.01;
const GATE_RATE = 0.03;

/** The gates of each layer, as numbers from 0 to 1. */
export async function trainedGates(kind: Kind, question: Question, { seed, train, frame }: Run): Promise<number[][]> {
  const network = buildNetwork(kind, question, seed);
  const source = random(seed);
  try {
    for (let step = 0; step < STEPS; step++) {
      const indices = Array.from({ length: BATCH }, () => Math.floor(source.uniform() * train.labels.length));
      const rate = 1 - step / STEPS;
      await trainStep(network, paint(train, indices, source), RATE * rate, GATE_RATE * rate);
      await frame();
    }
    return kind === 'BatchInstanceNormalization' ? rhos(network) : sourceWeights(network).map(flat);
  } finally {
    disposeOf(network);
  }
}

const flat = ({ mean, variance }: ReturnType<SwitchableNormalization['gates']>): number[] => [
  ...(Object.values(mean) as number[]),
  ...(Object.values(variance) as number[]),
];

/** The largest difference between the gates of one and of the other. */
export const farthest = (one: readonly number[], other: readonly number[]): number =>
  Math.max(...one.map((gate, i) => Math.abs(gate - other[i])));
