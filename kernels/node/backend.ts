/**
 * The part of tfjs-node's backend that the kernels use, and `Call`, in which a kernel runs TensorFlow ops. Its values are
 * bare handles of the native binding: no engine, no tidy and no `tf.memory()` knows them, so a call frees what it made.
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

/** A tensor of TensorFlow's. */
export interface Value {
  readonly id: number;
  readonly shape: Shape;
}

export const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
const same = (a: Shape, b: Shape) => a.length === b.length && a.every((size, i) => size === b[i]);

/** Ones for every sum that is a matrix product: one array, as long as the longest asked for. */
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

  /** Of a small tensor, which may be another backend's still: this one's `readSync` would not find it. */
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

  /** Of matrices, or of batches of them where either has three axes. */
  matMul = (a: Value, b: Value) => this.#one(a.shape.length === 2 ? 'MatMul' : 'BatchMatMulV2', [a, b]);

  /** Over one axis. */
  sum = (x: Value, axis: number) => this.#one('Sum', [x, this.integers([axis])]);

  /** sqrt(sum(x^2)) over one axis. */
  norm = (x: Value, axis: number) => this.#one('EuclideanNorm', [x, this.integers([axis])]);

  /** Shares the buffer; nothing runs where the shape is right already. */
  reshape = (x: Value, shape: Shape) => (same(x.shape, shape) ? x : this.#one('Reshape', [x, this.integers(shape)]));

  /** A part of x; shares the buffer where it can. */
  slice = (x: Value, begin: Shape, size: Shape) => this.#one('Slice', [x, this.integers(begin), this.integers(size)]);

  read({ id }: Value): Numbers {
    return this.backend.binding.tensorDataSync(id);
  }

  /** Reads what nothing else needs. */
  take(value: Value): Numbers {
    const numbers = this.read(value);
    this.free(value);
    return numbers;
  }

  /** Gives memory back before the call ends, so that the next result takes it while it is in the cache. Spares inputs. */
  free(...values: readonly Value[]): void {
    for (const { id } of values) if (this.#live.delete(id)) this.backend.binding.deleteTensor(id);
  }

  /** `value`, which takes the place of `old`. */
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

  /** A small result: TensorFlow sees it only once an op needs it. */
  small(values: Float32Array, shape: Shape): TensorInfo {
    return { dataId: this.backend.write(values, [...shape], 'float32'), shape: [...shape], dtype: 'float32' };
  }

  #own(value: Value): Value {
    this.#live.add(value.id);
    return value;
  }
}

/** A kernel whose text runs in a `Call`. */
export const kernel = kernelsIn((backend: NodePort) => new Call(backend));
