/**
 * The part of TensorFlow.js's WebGL backend that is used, and `Gpu`: the textures and draws of one kernel call. TensorFlow.js
 * compiles its programs anew for many shapes. Here every tensor is given to the backend as a scalar, which it never reorders, with
 * a texture of stated size, so that one program serves all shapes.
 */
import { type DataId, engine, env, getKernel, type KernelBackend, type TensorInfo } from '@tensorflow/tfjs-core';
import { kernelsIn } from '../core/frame.ts';
import { fetches, fetchUniforms } from './fetches.ts';
import { samePacking } from './layout.ts';
import type { Size, Texture } from './texture.ts';

/** The part of `MathBackendWebGL` that is used. */
export interface WebGLPort {
  readonly texData: { get(dataId: DataId): TextureData };
  readonly gpgpu: { readonly gl: { isContextLost(): boolean } };
  runWebGLProgram(
    program: Program,
    inputs: TensorInfo[],
    outputDtype: 'float32',
    customUniformValues?: number[][],
    preventEagerUnpackingOfOutput?: boolean,
    customTexShape?: [number, number],
  ): TensorInfo;
  packTensor(input: TensorInfo): TensorInfo;
  uploadToGPU(dataId: DataId): void;
  makeTensorInfo(shape: number[], dtype: 'float32', values: Float32Array): TensorInfo;
  readSync(dataId: DataId): unknown;
  disposeIntermediateTensorInfo(info: TensorInfo): void;
}

interface TextureData {
  shape: number[];
  isPacked?: boolean;
  readonly texture?: unknown;
  /** The values on the host: of tensors that are not on the GPU yet, or have been read. */
  values?: unknown;
  /** In values; if packed, a texel counts as two in each direction. */
  readonly texShape: [height: number, width: number];
}

interface Program {
  readonly variableNames: string[];
  readonly outputShape: number[];
  readonly userCode: string;
  readonly customUniforms: { name: string; type: 'int' | 'float' | 'vec2' }[];
  readonly packedInputs: boolean;
  readonly packedOutput: boolean;
  readonly enableShapeUniforms: boolean;
  readonly outPackingScheme: number;
}

/** The `PackingScheme` with which `runWebGLProgram` uses the given size for the texture of the output. */
const DENSE = 0;

export interface Draw {
  /** The name of the program in messages. */
  readonly name: string;
  readonly source: string;
  /** The input textures by their names in the source; an undefined one is left out. */
  readonly textures: Readonly<Record<string, Texture | undefined>>;
  readonly integers: Readonly<Record<string, number>> & { readonly columns?: number };
  readonly floats?: Readonly<Record<string, number>>;
  readonly size: Size;
}

export class Gpu {
  readonly #backend: WebGLPort;
  readonly #scratch: TensorInfo[] = [];

  constructor(backend: WebGLPort) {
    this.#backend = backend;
  }

  /** The shape as which the texture of a tensor is packed: it may differ from the shape of the tensor. */
  packedShape(info: TensorInfo): readonly number[] {
    const { texture, isPacked, shape } = this.#backend.texData.get(info.dataId);
    return texture && isPacked ? shape : info.shape;
  }

  /** The float32 values of a tensor, if the host has them. */
  onHost({ dataId }: TensorInfo): Float32Array | undefined {
    const { values } = this.#backend.texData.get(dataId);
    return values instanceof Float32Array ? values : undefined;
  }

  /** The values of any tensor; waits for the GPU if the host does not have them. */
  read({ dataId }: TensorInfo): Float32Array {
    return this.#backend.readSync(dataId) as Float32Array;
  }

  /** A new tensor, which stays on the host until a kernel needs it on the GPU. */
  fromHost(values: Float32Array, shape: number[]): TensorInfo {
    return this.#backend.makeTensorInfo(shape, 'float32', values);
  }

  /** As `fromHost`, for the time of the kernel. */
  temporary(values: Float32Array): TensorInfo {
    const info = this.fromHost(values, [values.length]);
    this.#scratch.push(info);
    return info;
  }

  /** The texture of a tensor, packed as `shape`: uploaded, packed or packed anew if need be. */
  texture(info: TensorInfo, shape: readonly number[]): Texture {
    if (shape.includes(0)) fail('texture', `a tensor of shape [${info.shape}] is empty; WebGL has no empty textures`);
    const { texData } = this.#backend;
    const data = texData.get(info.dataId);
    if (!data.texture) {
      data.isPacked = true;
      data.shape = info.shape;
      this.#backend.uploadToGPU(info.dataId);
    }
    const { dtype, dataId } = info;
    if (!data.isPacked) {
      return this.#temporary(this.#backend.packTensor({ dataId, dtype, shape: [...shape] }));
    }
    if (samePacking(data.shape, shape)) return sized(info, data);
    return this.#temporary(this.#reordered({ dataId, dtype, shape: data.shape }, shape));
  }

  #reordered(x: TensorInfo, shape: readonly number[]): TensorInfo {
    const reshape = getKernel('Reshape', engine().backendName);
    const backend = this.#backend as unknown as KernelBackend;
    return reshape.kernelFunc({ inputs: { x }, backend, attrs: { shape: [...shape] } }) as TensorInfo;
  }

  #temporary(info: TensorInfo): Texture {
    this.#scratch.push(info);
    return sized(info, this.#backend.texData.get(info.dataId));
  }

  /** Runs a shader once for each texel of a new texture, which lives until the end of the kernel or is given away. */
  draw({ name, source, textures, integers, floats = {}, size }: Draw): Texture {
    const inputs = Object.entries(textures).filter((entry): entry is [string, Texture] => entry[1] !== undefined);
    const ofFetches = Object.assign({}, ...inputs.map(([variable, texture]) => fetchUniforms(variable, texture)));
    const uniforms: Record<string, number | number[]> = { ...integers, ...ofFetches, ...floats };
    const type = (uniform: string) => (Array.isArray(uniforms[uniform]) ? 'vec2' : uniform in floats ? 'float' : 'int');
    const program: Program = {
      variableNames: inputs.map(([variable]) => variable),
      outputShape: [],
      userCode:
        inputs.map(([name, texture]) => fetches(name, texture, size, integers.columns, source)).join('') + source,
      customUniforms: Object.keys(uniforms).map((uniform) => ({ name: uniform, type: type(uniform) })),
      packedInputs: true,
      packedOutput: true,
      enableShapeUniforms: true,
      outPackingScheme: DENSE,
    };
    const scalars = inputs.map(([, { info }]) => ({ ...info, shape: [] }));
    const values = Object.values(uniforms).map((value) => (Array.isArray(value) ? value : [value]));
    if (this.#backend.gpgpu.gl.isContextLost()) fail(name, 'the WebGL context is lost; load the page again');
    try {
      const { height, width, shift } = size;
      const info = this.#backend.runWebGLProgram(program, scalars, 'float32', values, true, [height, width]);
      this.#scratch.push(info);
      return { info, height, width, shift };
    } catch (error) {
      return fail(name, error instanceof Error ? error.message : `${error}`, error);
    }
  }

  /** Returns a texture as a result of the kernel: a tensor of `shape`, whose texels are packed as `packedAs`. */
  give({ info }: Texture, shape: number[], packedAs: readonly number[] = shape): TensorInfo {
    const data = this.#backend.texData.get(info.dataId);
    data.shape = [...packedAs];
    if (samePacking(shape, packedAs)) {
      data.shape = shape;
      this.#scratch.splice(this.#scratch.indexOf(info), 1);
      return { ...info, shape };
    }
    return this.#reordered({ ...info, shape: data.shape }, shape);
  }

  /** Frees every texture that was not given away. */
  end(): void {
    for (const info of this.#scratch) this.#backend.disposeIntermediateTensorInfo(info);
  }
}

const sized = (info: TensorInfo, { texShape: [height, width] }: TextureData): Texture => ({
  info,
  height: Math.ceil(height / 2),
  width: Math.ceil(width / 2),
});

function fail(program: string, why: string, cause?: unknown): never {
  throw new Error(`tfjs-normalizations: the WebGL program '${program}' could not run: ${why}`, { cause });
}

/** Whether textures hold 16-bit floats. */
export const isHalfPrecision = (): boolean => !env().getBool('WEBGL_RENDER_FLOAT32_ENABLED');

/** A kernel; when it ends, all textures are freed that it does not `give`. */
export const kernel = kernelsIn((backend: WebGLPort) => new Gpu(backend));
