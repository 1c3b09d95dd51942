/** What only WebGL has: draws, programs, packed and unpacked inputs, texture memory, a context that can be lost. */
import * as tf from '@tensorflow/tfjs';
import type { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import { countDraws } from '../../examples/benchmark/gpu.ts';
import type { NormalizeAttrs } from '../../kernels/core/contract.ts';
import { conditionsOf, type View } from '../../kernels/core/view.ts';
import { moments as momentsOf } from '../../kernels/ops/moments.ts';
import { normalize } from '../../kernels/ops/normalize.ts';
import * as reference from '../../kernels/ops/reference.ts';
import { scaleShift, scaleShiftGrad } from '../../kernels/ops/scale-shift.ts';
import { batchNormalization } from '../../layers/index.ts';
import { normals } from '../support/random.ts';
import type { SourceName } from '../support/webgl-sources.ts';
import { fusedAndApart } from './residual.ts';
import { type MakeTensor, take, takeAll, withTensors } from './tensors.ts';

const backend = () => tf.backend() as MathBackendWebGL;

/** Draws while `body` runs, whose results are disposed of. */
const draws = (body: () => unknown) => countDraws(() => tf.dispose(body() as tf.TensorContainer));

/** How many of our programs are compiled; TensorFlow.js has its own, of named classes, to upload each shape. */
function programs(): number {
  const { binaryCache } = backend() as unknown as { binaryCache: Record<string, unknown> };
  return Object.keys(binaryCache).filter((key) => key.startsWith('Object_')).length;
}

export type Form = Pick<NormalizeAttrs, 'center' | 'rescale'>;
export interface DrawCase {
  readonly shape: readonly number[];
  readonly view: View;
  readonly form: Form;
}

const attributes = ({ view, form }: DrawCase): NormalizeAttrs => ({
  ...form,
  view,
  epsilon: 1e-3,
  epsilonPlacement: 'inside',
});

/** gamma and beta [c], or with a row for each condition. */
function parametersOf(make: MakeTensor, view: View): [gamma: tf.Tensor, beta: tf.Tensor] {
  const conditions = conditionsOf(view);
  const shape = view.rowsPerCondition === undefined ? [view.c] : [conditions, view.c];
  const [gamma, beta] = [3, 4].map((seed) => make(normals(seed, conditions * view.c), shape));
  return [gamma!, beta!];
}

/** Draws of the forward, and of forward and gradient; all tensors have been on the GPU before. */
export const normalizeDraws = (args: DrawCase) =>
  withTensors(async (make) => {
    const { shape, view } = args;
    const size = shape.reduce((a, b) => a * b, 1);
    const [x, dy] = [normals(1, size), normals(2, size)].map((v) => make(v, [...shape])) as [tf.Tensor, tf.Tensor];
    const [gamma, beta] = parametersOf(make, view);
    const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => normalize(x, gamma, beta, attributes(args));
    const gradients = tf.grads(f);
    const forward = () => f(x, gamma, beta);
    const both = () => gradients([x, gamma, beta], dy);
    tf.dispose([forward(), both()]);
    return { forward: draws(forward), both: draws(both) };
  });

/** Draws of a sum and its normalization, with gradients into both: by one kernel each way, and apart. */
export const residualDraws = ({ kind }: { readonly kind: 'layer' | 'rms' }) =>
  withTensors(async (make) => {
    const { fused, apart } = fusedAndApart(make, kind, 64, 96);
    tf.dispose([fused(), apart()]);
    return { fused: draws(fused), apart: draws(apart) };
  });

/** Draws of the blended forms' kernels on an instance view, and of the layer BatchNormalization. */
export const otherDraws = ({ shape }: { shape: readonly [number, number, number, number] }) =>
  withTensors(async (make) => {
    const [n, height, width, c] = shape;
    const view = { n, s: height * width, c, groups: c };
    const size = n * view.s * c;
    const [x, dy] = [normals(1, size), normals(2, size)].map((v) => make(v, [...shape])) as [tf.Tensor, tf.Tensor];
    const parameters = [3, 4, 5].map((seed) => make(normals(seed, n * c), [n, c])) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const [mean, scale, shift] = parameters;
    const norm = batchNormalization({ inputShape: [height, width, c] });
    const results: Record<string, number> = {};
    const bodies: Record<string, () => unknown> = {
      moments: () => momentsOf(x, view),
      scaleShift: () => scaleShift(x, { mean, scale, shift }, view),
      scaleShiftGrad: () => scaleShiftGrad(dy, x, mean, view),
      inference: () => norm.apply(x),
      training: () => norm.apply(x, { training: true }),
      trainingAndGradient: () => tf.grad((x: tf.Tensor) => norm.apply(x, { training: true }) as tf.Tensor)(x, dy),
    };
    for (const [name, body] of Object.entries(bodies)) {
      tf.dispose(body() as tf.TensorContainer);
      results[name] = draws(body);
    }
    norm.dispose();
    return results;
  });

/** Our programs after a step of one shape, and after one of another. */
export const programsOfTwoShapes = ({ first, second }: { first: DrawCase; second: DrawCase }) =>
  withTensors(async (make) => {
    const step = (args: DrawCase) => {
      const size = args.shape.reduce((a, b) => a * b, 1);
      const [x, dy] = [1, 2].map((seed) => make(normals(seed, size), [...args.shape])) as [tf.Tensor, tf.Tensor];
      const [gamma, beta] = parametersOf(make, args.view);
      const f = (x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) => normalize(x, gamma, beta, attributes(args));
      tf.dispose(tf.grads(f)([x, gamma, beta], dy));
      return programs();
    };
    return { first: step(first), second: step(second) };
  });

/** x [2, 5, 7, 6] (for some 3 channels) as the results of stock ops, packed and unpacked. */
const SOURCES: Record<SourceName, (x: tf.Tensor4D) => tf.Tensor> = {
  conv2d: (x) => tf.conv2d(x, tf.fill([1, 1, 6, 5], 0.2), 1, 'same'),
  depthwiseConv2d: (x) => tf.depthwiseConv2d(x, tf.ones([2, 2, 6, 1]), 1, 'valid'),
  matMul: (x) => tf.matMul(tf.reshape(x, [70, 6]), tf.fill([6, 9], 0.3)),
  maxPool: (x) => tf.maxPool(x, 2, 1, 'valid'),
  concat: (x) => tf.concat([x, tf.neg(x)], 3),
  gather: (x) => tf.gather(x, [1, 0, 1], 0),
  slice: (x) => tf.slice(x, [0, 1, 1, 1], [2, 3, 5, 3]),
  sliceOfRows: (x) => tf.slice(tf.reshape(x, [70, 6]), [3, 0], [41, 6]),
  reshape: (x) => tf.reshape(x, [2, 35, 6]),
  transpose: (x) => tf.transpose(x, [0, 2, 3, 1]),
  exp: (x) => tf.exp(x),
  // Leaves NaN in the padding, where the logarithm is that of 0.
  sqrt: (x) => tf.sqrt(tf.add(tf.log(tf.abs(tf.slice(x, [0, 1, 1, 1], [2, 3, 5, 3]))), 20)),
  where: (x) => tf.where(tf.greater(x, 0), x, tf.mul(x, 0.1)),
  mean: (x) => tf.mean(x, 2),
};

export interface StockCase {
  readonly source: SourceName;
  readonly kind: 'rows' | 'batch' | 'instance';
  /** Whether there are gamma and beta. */
  readonly affine: boolean;
}

const apart = (a: tf.Tensor, b: tf.Tensor) => tf.div(tf.max(tf.abs(tf.sub(a, b))), tf.max(tf.abs(b)));

/** Largest differences between fused and composed, relative to the largest value, on what a stock op left on the GPU. */
export const fromStockOp = ({ source, kind, affine }: StockCase) =>
  withTensors(async (make) => {
    const x4 = make(normals(1, 420), [2, 5, 7, 6]) as tf.Tensor4D;
    const results = tf.tidy(() => {
      const x = SOURCES[source](x4);
      const c = x.shape.at(-1)!;
      const size = x.size / c;
      const n = x.shape[0]!;
      const views: Record<typeof kind, View> = {
        rows: { n: size, s: 1, c, groups: 1 },
        batch: { n: 1, s: size, c, groups: c },
        instance: { n, s: size / n, c, groups: c },
      };
      const attrs = attributes({ shape: x.shape, view: views[kind], form: { center: true, rescale: true } });
      const [gamma, beta] = affine ? [tf.tensor(normals(2, c)), tf.tensor(normals(3, c))] : [];
      const dy = tf.exp(tf.sin(tf.range(0, x.size)).reshape(x.shape)); // leaves e^0 in the padding
      const f = (x: tf.Tensor, gamma?: tf.Tensor, beta?: tf.Tensor) => normalize(x, gamma, beta, attrs);
      const parameters = [gamma, beta].filter((t) => t !== undefined);
      const { value, grads } = tf.valueAndGrads(f)([x, ...parameters], dy);
      const [grad, ...ofParameters] = grads as [tf.Tensor];
      // Not dgamma, which is 0 where channels are equal.
      const rows = [...ofParameters.slice(-1).map((dbeta) => tf.reshape(dbeta, [1, c])), momentsOf(x, views[kind])];
      const [y] = reference.normalize(x, gamma, beta, attrs);
      const [dx] = reference.normalizeGrad(dy, x, gamma, attrs);
      return { value, grad, rows, y: apart(value, y), dx: apart(grad, dx) };
    });
    // A product of matrices adds up whole texels, with their padding: that of a copy is 0.
    const { value, grad, rows, y, dx } = results;
    const product = (t: tf.Tensor, along: boolean) => tf.matMul(t, t, along, !along);
    const differences: tf.Tensor[] = [];
    for (const t of [value, grad, ...rows]) {
      const copy = make((await t.data()) as Float32Array, t.shape);
      for (const along of [true, false]) {
        differences.push(tf.tidy(() => apart(product(t, along), product(copy, along))));
      }
    }
    const products = tf.tidy(() => tf.max(tf.stack(differences)));
    tf.dispose([value, grad, rows, differences]);
    return takeAll({ y, dx, products });
  });

/** Bytes on the GPU before and after forward and gradient whose results are disposed of. */
export const gpuBytes = (args: DrawCase) =>
  withTensors(async (make) => {
    const size = args.shape.reduce((a, b) => a * b, 1);
    const [x, dy] = [1, 2].map((seed) => make(normals(seed, size), [...args.shape])) as [tf.Tensor, tf.Tensor];
    const f = (x: tf.Tensor) => normalize(x, undefined, undefined, attributes(args));
    const bytes = () => (tf.memory() as tf.MemoryInfo & { numBytesInGPU: number }).numBytesInGPU;
    const step = () => tf.dispose(tf.valueAndGrad(f)(x, dy) as unknown as tf.TensorContainer);
    step();
    const before = bytes();
    for (let i = 0; i < 3; i++) step();
    return { before, after: bytes() };
  });

/** The gradient where the moments of the forward were on the cpu meanwhile, and come back in another texture; and where they are cpu's. */
export const afterMoving = (args: DrawCase) =>
  withTensors(async (make) => {
    const size = args.shape.reduce((a, b) => a * b, 1);
    const [x, dy] = [1, 2].map((seed) => make(normals(seed, size), [...args.shape])) as [tf.Tensor, tf.Tensor];
    const [gamma, beta] = parametersOf(make, args.view);
    const gradient = (useMoments: (moments: tf.Tensor) => void, forward = 'webgl') =>
      take(
        tf.grad((x: tf.Tensor) => {
          void tf.setBackend(forward); // at once, since it has started
          const y = normalize(x, gamma, beta, attributes(args), useMoments);
          void tf.setBackend('webgl');
          return y;
        })(x, dy),
      );
    await tf.setBackend('cpu');
    await tf.setBackend('webgl');
    const move = (moments: tf.Tensor) => {
      void tf.setBackend('cpu');
      tf.neg(moments).dispose();
      void tf.setBackend('webgl');
    };
    return { expected: await gradient(() => {}), actual: await gradient(move), ofCpu: await gradient(() => {}, 'cpu') };
  });

/** What a kernel says of a tensor that holds nothing. */
export const ofNothing = (args: DrawCase) =>
  withTensors(async (make) => {
    const x = make(new Float32Array(0), [...args.shape]);
    try {
      tf.dispose(normalize(x, undefined, undefined, attributes(args)));
      return 'no error';
    } catch (error) {
      return (error as Error).message;
    }
  });

/** What a kernel says whose shader does not compile: the driver is made to say so of a program that is new. */
export const afterShaderFailure = (_: Record<string, never>) =>
  withTensors(async (make) => {
    const x = make(normals(1, 8), [2, 4]);
    const view = { n: 2, s: 1, c: 4, groups: 1 };
    const gl = backend().gpgpu.gl as unknown as { getShaderParameter?: () => boolean };
    const attrs = { view, epsilon: 0.5, epsilonPlacement: 'floor', center: false, rescale: true } as const;
    // Uploading x takes a program, too.
    tf.dispose(normalize(x, undefined, undefined, { ...attrs, epsilonPlacement: 'inside', center: true }));
    gl.getShaderParameter = () => false;
    try {
      tf.dispose(normalize(x, undefined, undefined, attrs));
      return 'no error';
    } catch (error) {
      return (error as Error).message;
    } finally {
      delete gl.getShaderParameter;
    }
  });

/** What a kernel says once the context is lost. The page's backend is gone after this. */
export const afterContextLoss = (_: Record<string, never>) =>
  withTensors(async (make) => {
    const x = make(normals(1, 8), [2, 4]);
    const attrs = attributes({
      shape: [2, 4],
      view: { n: 2, s: 1, c: 4, groups: 1 },
      form: { center: true, rescale: true },
    });
    tf.dispose(normalize(x, undefined, undefined, attrs));
    backend().gpgpu.gl.getExtension('WEBGL_lose_context')?.loseContext();
    try {
      tf.dispose(normalize(x, undefined, undefined, attrs));
      return 'no error';
    } catch (error) {
      return (error as Error).message;
    }
  });
