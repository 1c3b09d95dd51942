/**
 * The part of tfjs-node's backend that the kernels use, and `Call`, in which a kernel runs TensorFlow ops. Its values are
 * bare handles of the native binding, unknown to the engine, to tidy and to `tf.memory()`: the call frees them at its end.
 * Only ops and attributes are used that libtensorflow 2.9 and 2.15 both have; attributes left out follow from the inputs.
 */
import { engine, type TensorInfo } from '@tensorflow/tfjs-core';
import { kernelsIn } from '../core/frame.ts';

type Shape = readonly number[];
type Numbers = ArrayLike<number>;

interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: boolean | number | string;
}

/** The native addon. */
export interface Binding {
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_STRING: number;
  createTensor(shape: number[], dtype: number, values: Float32Array | Int32Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Numbers;
  executeOp(
    name: string,
    attributes: Attribute[],
    inputs: number[],
    outputs: number,
  ): { id: number; shape: number[]; dtype: number }[];
}

/** NodeJSKernelBackend. */
export interface NodePort {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  getInputTensorIds(tensors: TensorInfo[]): number[];
  createOutputTensor(result: { id: number; shape: number[]; dtype: number }): TensorInfo;
  write(values: Float32Array, shape: number[], dtype: 'float32'): object;
  disposeData(dataId: object): unknown;
}

/** A tensor of TensorFlow. */
export interface Value {
  readonly id: number;
  readonly shape: Shape;
}

export const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
const same = (a: Shape, b: Shape) => a.length === b.length && a.every((size, i) => size === b[i]);

/** Ones, for all sums that are matrix products: one array, which grows as needed. */
let ones = new Float32Array(0);

export class Call {
  readonly backend: NodePort;
  readonly #live = new Set<number>();

  constructor(backend: NodePort) {
    this.backend = backend;
  }

  input({ dataId, dtype, shape }: TensorInfo): Value {
    return { id: this.backend.getInputTensorIds([{ dataId, dtype, shape }])[0] as number, shape };
  }

  optional(tensor: TensorInfo | undefined): Value | undefined {
    return tensor && this.input(tensor);
  }

  /** The values of a small tensor. By the engine, since the tensor may still be on another backend. */
  numbers({ dataId }: TensorInfo): Numbers {
    return engine().readSync(dataId) as Numbers;
  }

  /** Small values, uploaded without a copy: they must not change while the call lasts. */
  constant(values: Numbers, shape: Shape = [values.length]): Value {
    const { binding } = this.backend;
    const floats = values instanceof Float32Array ? values : new Float32Array(values);
    return this.#own({ id: binding.createTensor([...shape], binding.TF_FLOAT, floats), shape });
  }

  ones(shape: Shape): Value {
    const size = sizeOf(shape);
    if (ones.length < size) ones = new Float32Array(size).fill(1);
    return this.constant(ones.subarray(0, size), shape);
  }

  integers(values: Shape): Value {
    const { binding } = this.backend;
    const shape = [values.length];
    return this.#own({ id: binding.createTensor(shape, binding.TF_INT32, Int32Array.from(values)), shape });
  }

  /** Runs one op; `outputs` must be the number that it has. */
  run(
    name: string,
    inputs: readonly Value[],
    attributes: Record<string, Attribute['value']> = {},
    outputs = 1,
  ): Value[] {
    const { binding } = this.backend;
    const types = { boolean: binding.TF_ATTR_BOOL, number: binding.TF_ATTR_FLOAT, string: binding.TF_ATTR_STRING };
    const named = Object.entries(attributes).map(([name, value]) => {
      return { name, type: types[typeof value as keyof typeof types], value };
    });
    const ids = inputs.map(({ id }) => id);
    return binding.executeOp(name, named, ids, outputs).map((value) => this.#own(value));
  }

  #one(name: string, inputs: readonly Value[], attributes?: Record<string, Attribute['value']>): Value {
    return this.run(name, inputs, attributes)[0] as Value;
  }

  add = (a: Value, b: Value) => this.#one('AddV2', [a, b]);
  sub = (a: Value, b: Value) => this.#one('Sub', [a, b]);
  squaredDifference = (a: Value, b: Value) => this.#one('SquaredDifference', [a, b]);
  mul = (a: Value, b: Value) => this.#one('Mul', [a, b]);

  /** The product of two matrices, or of two batches of them, with three axes. */
  matMul = (a: Value, b: Value) => this.#one(a.shape.length === 2 ? 'MatMul' : 'BatchMatMulV2', [a, b]);

  /** The sum over one axis. */
  sum = (x: Value, axis: number) => this.#one('Sum', [x, this.integers([axis])]);

  /** sqrt(sum(x^2)) over one axis. */
  norm = (x: Value, axis: number) => this.#one('EuclideanNorm', [x, this.integers([axis])]);

  /** x in another shape, without a copy. */
  reshape = (x: Value, shape: Shape) => (same(x.shape, shape) ? x : this.#one('Reshape', [x, this.integers(shape)]));

  /** A part of x, without a copy if it is contiguous. */
  slice = (x: Value, begin: Shape, size: Shape) => this.#one('Slice', [x, this.integers(begin), this.integers(size)]);

  read({ id }: Value): Numbers {
    return this.backend.binding.tensorDataSync(id);
  }

  /** Reads a value, and frees it. */
  take(value: Value): Numbers {
    const numbers = this.read(value);
    this.free(value);
    return numbers;
  }

  /** Frees values before the call ends, so that the next result reuses their memory while it is in the cache. Inputs are kept. */
  free(...values: readonly Value[]): void {
    for (const { id } of values) if (this.#live.delete(id)) this.backend.binding.deleteTensor(id);
  }

  /** Returns `value`, and frees `old`. */
  replace(old: Value, value: Value): Value {
    this.free(old);
    return value;
  }

  end(): void {
    for (const id of this.#live) this.backend.binding.deleteTensor(id);
    this.#live.clear();
  }

  /** A result of the kernel. */
  output(value: Value, shape: Shape): TensorInfo {
    const shaped = this.reshape(value, shape);
    const { id } = this.#live.has(shaped.id) ? shaped : this.#one('Identity', [shaped]);
    this.#live.delete(id);
    return this.backend.createOutputTensor({ id, shape: [...shape], dtype: this.backend.binding.TF_FLOAT });
  }

  /** A small result, which stays in JavaScript until an op needs it. */
  small(values: Float32Array, shape: Shape): TensorInfo {
    return { dataId: this.backend.write(values, [...shape], 'float32'), shape: [...shape], dtype: 'float32' };
  }

  #own(value: Value): Value {
    this.#live.add(value.id);
    return value;
  }
}

/** A kernel that runs in a `Call`. */
export const kernel = kernelsIn((backend: NodePort) => new Call(backend));
