/** Points in the plane for a generator to imitate, and how well it does. */
import { type Random, random } from '../shared/random.ts';

export const SHAPES = { ring: 'Ring of eight', moons: 'Two moons', spiral: 'Spiral' } as const;
export type Shape = keyof typeof SHAPES;

/** The plane that is drawn is [-EXTENT, EXTENT] in both directions. */
export const EXTENT = 3;
const RADIUS = 2;
const SPREAD = 0.08;
const CLUSTERS = 8;

const centers = Array.from({ length: CLUSTERS }, (_, i) => {
  const angle = (2 * Math.PI * i) / CLUSTERS;
  return [RADIUS * Math.cos(angle), RADIUS * Math.sin(angle)] as const;
});

const onCurve: Readonly<Record<Shape, (random: Random) => readonly [number, number]>> = {
  ring: ({ uniform }) => centers[Math.floor(uniform() * CLUSTERS)],
  moons({ uniform }) {
    const angle = Math.PI * uniform();
    const side = uniform() < 0.5 ? 1 : -1;
    return [1.3 * (side * Math.cos(angle) - side / 2), 1.3 * (side * Math.sin(angle) - side * 0.25)];
  },
  spiral({ uniform }) {
    const way = Math.sqrt(uniform());
    const angle = 3.2 * Math.PI * way;
    return [2.4 * way * Math.cos(angle), 2.4 * way * Math.sin(angle)];
  },
};

/** [count, 2] values, the same for the same seed. */
export function samplePoints(shape: Shape, count: number, seed: number): Float32Array {
  const source = random(seed);
  const points = new Float32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const [x, y] = onCurve[shape](source);
    points[2 * i] = x + SPREAD * source.normal();
    points[2 * i + 1] = y + SPREAD * source.normal();
  }
  return points;
}

/** Near is closer than this: three times the spread of the data. */
const NEAR = 3 * SPREAD;

/** The share of samples that lie near a point of the data, and the share of the data near a sample. */
export function resemblance(samples: Float32Array, data: Float32Array): { near: number; reached: number } {
  return { near: shareNear(samples, data), reached: shareNear(data, samples) };
}

function shareNear(points: Float32Array, others: Float32Array): number {
  let found = 0;
  for (let i = 0; i < points.length; i += 2) {
    for (let j = 0; j < others.length; j += 2) {
      if (Math.hypot(points[i] - others[j], points[i + 1] - others[j + 1]) < NEAR) {
        found++;
        break;
      }
    }
  }
  return found / (points.length / 2);
}
