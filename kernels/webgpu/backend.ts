/**
 * What is used of TensorFlow.js's WebGPU backend, and `Gpu`: the buffers and dispatches of one kernel call. Nothing here knows what is
 * computed. TensorFlow.js compiles a program anew for other ranks of its tensors, and for shapes that broadcast; here every tensor
 * is given to the backend as a scalar, whatever its buffer holds, so that one pipeline serves all shapes.
 */
import type { DataId, TensorInfo } from '@tensorflow/tfjs-core';
import { kernelsIn } from '../core/frame.ts';

/** The part of `WebGPUBackend` that is used. */
export interface WebGPUPort {
  readonly device: Device;
  runWebGPUProgram(
    program: Program,
    inputs: TensorInfo[],
    outputDtype: 'float32',
    uniforms: Uniform[],
    output: TensorInfo,
  ): TensorInfo;
  makeTensorInfo(shape: number[], dtype: 'float32'): TensorInfo;
  incRef(dataId: DataId): void;
  disposeData(dataId: DataId): boolean;
}

interface Device {
  readonly limits: { readonly maxStorageBufferBindingSize: number };
  readonly lost: Promise<unknown>;
}

interface Uniform {
  readonly type: 'int32' | 'float32';
  readonly data: number[];
}

/** `WebGPUProgram`. */
interface Program {
  /** TensorFlow.js takes the name of the class for messages and profiles. */
  readonly constructor: { readonly name: string };
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent: number;
  readonly outputShape: number[];
  readonly uniforms: string;
  readonly shaderKey: string;
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout: { readonly x: number[] };
  /** TensorFlow.js spreads it over three dimensions where one is not enough. */
  readonly dispatch: [number, number, number];
  getUserCode(): string;
}

export interface Dispatch {
  /** For messages. */
  readonly name: string;
  /**
   * WGSL that declares `fn main(index : i32)`; `index` counts all invocations. It reads the input x by `xAt(i)`, as `Values` or f32. Each
   * line with a `#` stands for `copies` lines, with 0, 1 and so on in its place.
   */
  readonly source: string;
  /** Default 1. */
  readonly copies?: number | undefined;
  /** The inputs, and maybe `result`, that hold `Values`, which are four: indices count fours. Absent: `Values` are one value. */
  readonly fours?: readonly string[] | undefined;
  /** By the names that the source gives them; those that are undefined are absent. */
  readonly inputs: Readonly<Record<string, TensorInfo | undefined>>;
  readonly integers: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
  readonly workgroups: number;
  /** Of the output, `result`. */
  readonly shape: number[];
  /** Further outputs, as `make` makes them, by the names that the source gives them. */
  readonly also?: Readonly<Record<string, TensorInfo | undefined>>;
}

const present = (tensors: Readonly<Record<string, TensorInfo | undefined>>) =>
  Object.entries(tensors).filter((entry): entry is [string, TensorInfo] => entry[1] !== undefined);

/** Invocations in a workgroup, a power of two. 256 is what every device allows. */
export let workgroupSize = 256;

/** For tests: WebGPU in software is slow with large workgroups. */
export function setWorkgroupSize(size: number): void {
  workgroupSize = size;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export class Gpu {
  readonly #backend: WebGPUPort;
  readonly #scratch: TensorInfo[] = [];

  constructor(backend: WebGPUPort) {
    this.#backend = backend;
  }

  /** Runs a program, whose output lives until the end of the kernel or is given away. */
  run({
    name,
    source,
    copies = 1,
    fours,
    inputs,
    integers,
    floats = {},
    workgroups,
    shape,
    also = {},
  }: Dispatch): TensorInfo {
    const given = present(inputs);
    const written = present(also);
    const declared = (values: typeof integers, type: string) => Object.keys(values).map((key) => `${key} : ${type}`);
    const uniforms = [...declared(integers, 'i32'), ...declared(floats, 'f32')].join(', ');
    // A tensor that was cast to float32 still has integers in its buffer: `xAt(i)` is value i of the input x as a float.
    const componentsOf = (variable: string) => (fours?.includes(variable) ? 4 : 1);
    const typeOf = (variable: string) => (componentsOf(variable) === 4 ? 'vec4<f32>' : 'f32');
    const reads = given.map(([variable]) => {
      const type = typeOf(variable);
      return `fn ${variable}At(i : i32) -> ${type} { return ${type}(${variable}[i]); }\n`;
    });
    // To TensorFlow.js further outputs are inputs, which it declares as such. WebGPU ignores a variable that the program does not use: a
    // second one has the same binding, and can be written.
    const writes = written.map(([variable], i) => {
      const binding = 1 + given.length + i;
      return `@group(0) @binding(${binding}) var<storage, read_write> ${variable} : array<${typeOf(variable)}>;\n`;
    });
    const code = (fours ? FOURS : ONES) + reads.join('') + writes.join('') + copied(source, copies);
    const variables = [...given.map(([variable]) => variable), ...written.map(([variable]) => `${variable}AsInput`)];
    const buffers = [...given, ...written].map(([, info]) => info);
    const program: Program = {
      variableNames: variables,
      variableComponents: variables.map(componentsOf),
      outputComponent: componentsOf('result'),
      outputShape: [],
      uniforms,
      // All that tells programs apart: two copies of this package may share a backend.
      shaderKey: `${uniforms} ${code}`,
      workgroupSize: [workgroupSize, 1, 1],
      dispatchLayout: { x: [0] },
      dispatch: [workgroups, 1, 1],
      getUserCode: () => code,
      constructor: { name },
    };
    const { device } = this.#backend;
    if (lost.has(device)) fail(name, 'the device is lost; register the backend anew, or load the page again');
    const most = device.limits.maxStorageBufferBindingSize;
    for (const one of [...buffers.map((info) => info.shape), shape]) {
      const bytes = 4 * sizeOf(one);
      if (bytes === 0) fail(name, 'a tensor is empty; WebGPU has no empty buffers');
      if (bytes > most) {
        const rule = `a tensor [${one}] of ${bytes} bytes is larger than the ${most} that this device binds`;
        fail(name, `${rule}; use smaller batches, a smaller layer, or tf.setBackend('webgl')`);
      }
    }
    const output = this.make(shape);
    const values = (type: Uniform['type'], of: typeof integers) => Object.values(of).map((v) => ({ type, data: [v] }));
    this.#backend.runWebGPUProgram(
      program,
      buffers.map(scalar),
      'float32',
      [...values('int32', integers), ...values('float32', floats)],
      scalar(output),
    );
    return output;
  }

  /** An output that some program is to fill. It lives until the end of the kernel or is given away. */
  make(shape: number[]): TensorInfo {
    const info = this.#backend.makeTensorInfo(shape, 'float32');
    this.#scratch.push(info);
    return info;
  }

  /** The output of a program as a result of the kernel. */
  give(info: TensorInfo): TensorInfo {
    this.#scratch.splice(this.#scratch.indexOf(info), 1);
    return info;
  }

  /** An input, or a result that is one, as a result of the kernel: a second tensor on the same buffer. */
  share(info: TensorInfo): TensorInfo {
    this.#backend.incRef(info.dataId);
    return { ...info };
  }

  /** Frees every buffer that was not given away. */
  end(): void {
    for (const { dataId } of this.#scratch) this.#backend.disposeData(dataId);
  }
}

function copied(source: string, copies: number): string {
  const numbers = Array.from({ length: copies }, (_, i) => `${i}`);
  const lines = source.split('\n');
  return lines.flatMap((line) => (line.includes('#') ? numbers.map((i) => line.replaceAll('#', i)) : line)).join('\n');
}

/**
 * WGSL: a float that is `rounded` to float32 already. WGSL lets compilers calculate as with real numbers, and Metal's does: there
 * `(pivot - mean) + shift` becomes `(pivot + shift) - mean`, which is 0, and what was rounded away is lost. What has gone through bits they
 * take as it is. The last bit of infinity is 0, which no compiler knows.
 */
const ROUNDED = `
fn rounded(value : f32) -> f32 { return bitcast<f32>(bitcast<u32>(value) ^ (bitcast<u32>(uniforms.INFINITY) & 1u)); }
`;

/** WGSL: `average` of the components of values, and the `first` of them. */
const FOURS = `${ROUNDED}
alias Values = vec4<f32>;
fn average(values : Values) -> f32 { return dot(values, vec4<f32>(0.25)); }
fn first(values : Values) -> f32 { return values.x; }
`;
const ONES = `${ROUNDED}
alias Values = f32;
fn average(value : f32) -> f32 { return value; }
fn first(value : f32) -> f32 { return value; }
`;

const scalar = ({ dataId, dtype }: TensorInfo): TensorInfo => ({ dataId, dtype, shape: [] });

/** Whether this is the backend that is known here, not one of another version. */
export function isKnown(backend: WebGPUPort): boolean {
  const members = [backend.runWebGPUProgram, backend.makeTensorInfo, backend.incRef, backend.disposeData];
  return members.every((member) => typeof member === 'function') && backend.device?.limits !== undefined;
}

/** Devices that are watched, and those that are lost: what runs there ends without an error, and its results are zeros. */
const watched = new WeakSet<Device>();
const lost = new WeakSet<Device>();

/** A backend starts whenever it is chosen; its device is watched once. */
export function watchDevice({ device }: WebGPUPort): void {
  if (!device || watched.has(device)) return;
  watched.add(device);
  void device.lost.then(() => lost.add(device));
}

function fail(program: string, why: string): never {
  throw new Error(`tfjs-normalizations: the WebGPU program '${program}' could not run: ${why}`);
}

/** A kernel whose buffers are freed when it ends, but for those that it gives away. */
export const kernel = kernelsIn((backend: WebGPUPort) => new Gpu(backend));
