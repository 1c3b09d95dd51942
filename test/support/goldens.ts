/**
 * The golden files, and how each class of ours stands to the classes they were made with: which options say the same, which
 * expectations are converted, and which files are left out and why. Nothing here knows a number of a golden.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GoldenRun } from '../cases/goldens.ts';
import { type BackendName, isWasm } from './backends.ts';

export interface TensorJson {
  readonly shape: number[];
  readonly data: number[];
}

type Values = Record<string, TensorJson>;
export type Kind = 'y' | 'inputGrads' | 'weightGrads' | 'state';

export interface GoldenStep {
  readonly training: boolean;
  readonly inputs: Values;
  readonly mask?: TensorJson;
  /** Absent where the file has no gradients. */
  readonly upstream?: TensorJson;
  readonly expect: {
    readonly y: TensorJson;
    readonly inputGrads?: Values;
    readonly weightGrads?: Values;
    readonly state: Values;
  };
}

export interface Golden {
  readonly id: string;
  readonly layer: string;
  readonly tags: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly semantics: Readonly<Record<string, unknown>>;
  readonly weights: readonly ({ name: string; trainable: boolean } & TensorJson)[];
  readonly steps: readonly GoldenStep[];
  readonly tolerance: { readonly float32: { readonly rtol: number; readonly atol: Record<Kind, number> } };
}

const folder = join(__dirname, '..', 'goldens');
const read = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8'));

export const goldens = (): Golden[] => read('index.json').map(({ file }: { file: string }) => read(file));

/** Files that ask for what our class is not; the reason is the title of the skipped test. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  'InstanceNormalization/torch/tracked-channels-first':
    'track_running_stats of PyTorch: our InstanceNormalization keeps no moving statistics',
  ...Object.fromEntries(
    ['rank2-repo', 'rank4-repo', 'rank4-repo-ones'].map((name) => [
      `SwitchableNormalization/paper/${name}`,
      "the authors' repository divides variances by one value less than they are taken of, the paper and ours do not",
    ]),
  ),
  ...Object.fromEntries(
    ['data-init-dense', 'data-init-dense-no-bias'].map((name) => [
      `WeightNormalization/tfa/${name}`,
      "TensorFlow Addons measures the outputs of v, not of v / ||v||: our data-dependent initialization is the paper's",
    ]),
  ),
  'WeightNormalization/tfa/norm-init-dense':
    'TensorFlow Addons sets g to ||v|| in the first call, ours when the layer is built, and stores no `initialized` for it',
};

/** Why TensorFlow.js itself cannot run a golden on a backend. */
export function impossible({ config, weights, steps }: Golden, backend: BackendName): string | undefined {
  const convolves = 'layer' in config && weights.some(({ name, shape }) => name === 'kernel' && shape.length > 2);
  if (isWasm(backend) && convolves && steps.some(({ upstream }) => upstream)) {
    return "TensorFlow.js's wasm backend has no gradient of a convolution";
  }
  return undefined;
}

type Weights = Record<string, number[]>;

const flat = (values: Values): Weights =>
  Object.fromEntries(Object.entries(values).map(([name, { data }]) => [name, [data].flat()]));

/** All weights of the source when step `index` starts: every step starts from the source's, so that differences do not add up. */
function startOf({ weights, steps }: Golden, index: number): Weights {
  const state = flat(Object.fromEntries(weights.map((weight) => [weight.name, weight])));
  for (const step of steps.slice(0, index)) Object.assign(state, flat(step.expect.state));
  return state;
}

/**
 * The source's weights as our class has them. Keras renormalizes by statistics of their own (renorm_) and infers from a
 * variance, of which ours is the standard deviation with epsilon.
 */
function asOurs({ layer, semantics, config }: Golden, weights: Weights, training: boolean): Weights {
  if (layer !== 'BatchRenormalization' || semantics.variant !== 'keras') return weights;
  const { renorm_mean, renorm_stddev, moving_mean, moving_variance, moving_stddev: _, ...rest } = weights;
  if (training) return { ...rest, moving_mean: renorm_mean!, moving_stddev: renorm_stddev! };
  const stddev = moving_variance!.map((v) => Math.sqrt(v + (config.epsilon as number)));
  return { ...rest, moving_mean: moving_mean!, moving_stddev: stddev };
}

/** The options of our class that do what the golden's do. */
function optionsOf({ layer, config, semantics }: Golden): Record<string, unknown> {
  const { kind, axis, renormMomentum, renormClipping, ...rest } = config;
  const options: Record<string, unknown> = { ...rest };
  // Attention knows no axis: the head's width is always last.
  if (axis !== undefined && kind !== 'attention') options.axis = axis;
  if (layer === 'RMSNormalization') return { ...options, center: false, epsilonPlacement: 'inside' };
  if (layer === 'SpectralNormalization') return { ...options, reparameterize: semantics.variant === 'torch' };
  if (layer !== 'BatchRenormalization') return options;
  const unclipped = { rmax: 1e6, rmin: 0, dmax: 1e6 }; // in Keras, what is not named is not clipped
  const clipping = { ...unclipped, ...(renormClipping as object | null) };
  return { ...options, momentum: renormMomentum ?? options.momentum, renormClipping: clipping, rampSteps: null };
}

/** What a golden asks of the page. */
export function runOf(golden: Golden): GoldenRun {
  const { layer, config, weights, steps } = golden;
  const shapes = Object.fromEntries(weights.map(({ name, shape }) => [name, shape]));
  return {
    className: config.kind === 'attention' ? 'QKNormAttention' : layer,
    options: optionsOf(golden),
    scores: config.kind === 'scores',
    steps: steps.map(({ training, inputs, mask, upstream }, index) => ({
      training,
      weights: Object.entries(asOurs(golden, startOf(golden, index), training)).map(([name, data]) => ({
        name,
        data,
        shape: shapes[name]!,
      })),
      inputs: Object.entries(inputs).map(([name, tensor]) => ({ name, ...tensor })),
      mask: mask && { shape: mask.shape, data: mask.data.map(Number) },
      upstream: upstream && { shape: upstream.shape, data: [upstream.data].flat() },
    })),
  };
}

/**
 * The state after step `index` as our layer keeps it. We store the biased variance; where the source stores it times
 * n / (n - 1), the new share of the moving average is scaled back.
 */
export function expectedState(golden: Golden, index: number): Weights {
  const { steps, semantics, config } = golden;
  const step = steps[index]!;
  const state = flat(step.expect.state);
  if (Object.keys(state).length === 0) return {};
  const { moving_variance: variance } = state;
  if (semantics.movingVariance === 'unbiased' && step.training && variance) {
    const before = startOf(golden, index).moving_variance!;
    const n = step.expect.y.data.length / variance.length;
    state.moving_variance = variance.map((after, i) => {
      const old = (config.momentum as number) * before[i]!;
      return old + ((after - old) * (n - 1)) / n;
    });
  }
  return asOurs(golden, state, step.training);
}
