/**
 * All cases by name. A case is an async function from JSON-like arguments to numbers and arrays of numbers: it runs in
 * the Jest process or in the page, and expects nothing itself.
 */
import { engine, memory } from '@tensorflow/tfjs';
import * as attention from './attention.ts';
import * as conditional from './conditional.ts';
import * as endurance from './endurance.ts';
import * as formulas from './formulas.ts';
import * as functions from './functions.ts';
import * as goldens from './goldens.ts';
import * as halfFloats from './half-floats.ts';
import * as keras from './keras-models.ts';
import * as kernels from './kernels.ts';
import * as large from './large.ts';
import * as layers from './layers.ts';
import * as multiHead from './multi-head.ts';
import * as nothing from './nothing.ts';
import * as powerIteration from './power-iteration.ts';
import * as release from './release.ts';
import * as serialization from './serialization.ts';
import * as surgery from './surgery.ts';
import * as view from './view.ts';
import * as wasm from './wasm.ts';
import * as webgl from './webgl.ts';
import * as webgpu from './webgpu.ts';
import * as wrappers from './wrappers.ts';

const cases = {
  ...attention,
  ...conditional,
  ...endurance,
  ...formulas,
  ...functions,
  ...goldens,
  ...halfFloats,
  ...keras,
  ...kernels,
  ...large,
  ...layers,
  ...multiHead,
  ...nothing,
  ...powerIteration,
  ...release,
  ...serialization,
  ...surgery,
  ...view,
  ...wasm,
  ...webgl,
  ...webgpu,
  ...wrappers,
};

type Cases = typeof cases;
export type CaseName = keyof Cases;
export type CaseArguments<N extends CaseName> = Parameters<Cases[N]>[0];

export interface CaseResult<N extends CaseName> {
  readonly value: Awaited<ReturnType<Cases[N]>>;
  /** Every kernel that ran, in order; ours carry the prefix. */
  readonly kernels: readonly string[];
  /** Tensors, and data of the backend, that outlived the case. */
  readonly leaked: { readonly tensors: number; readonly data: number };
}

/** How many names of kernels are kept: those of a thousand training steps would take more memory than what is tested. */
const MOST_NAMES = 10_000;

export async function runCase<N extends CaseName>(name: N, args: CaseArguments<N>): Promise<CaseResult<N>> {
  const ran: string[] = [];
  const it = engine();
  const { runKernel } = it;
  it.runKernel = function (this: typeof it, ...call: Parameters<typeof runKernel>) {
    if (ran.length < MOST_NAMES) ran.push(call[0]);
    return runKernel.apply(this, call);
  } as typeof runKernel;
  const count = () => ({ tensors: memory().numTensors, data: it.backend.numDataIds() });
  const before = count();
  try {
    const value = await (cases[name] as (args: CaseArguments<N>) => ReturnType<Cases[N]>)(args);
    const after = count();
    return {
      value: value as CaseResult<N>['value'],
      kernels: ran,
      leaked: { tensors: after.tensors - before.tensors, data: after.data - before.data },
    };
  } finally {
    it.runKernel = runKernel;
  }
}
