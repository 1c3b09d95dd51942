/**
 * The kernels as native ops: each runs one op of the shared object. The ops compute conditional normalization themselves if conditions
 * have many rows; if they have few, `withConditions` composes it of several ops.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { EpsilonPlacement, Kernel, KernelSet, NormalizeAttrs, Outputs } from '../core/contract.ts';
import { conditionsOf, type View } from '../core/view.ts';
import type { Binding, NodePort } from './backend.ts';
import { withConditions } from './conditions.ts';

type Optional = TensorInfo | undefined;

/** The numbers of `Placement` in native/form.h. */
const PLACEMENTS: Record<EpsilonPlacement, number> = { inside: 0, outside: 1, floor: 2 };
const NO_DIVISION = 3;

/** The attributes of an op. */
interface Form {
  readonly view: View;
  readonly epsilon?: number;
  readonly placement?: number;
  readonly center?: boolean;
  readonly momentum?: number;
  readonly row?: number;
}

const formOf = ({ view, epsilon, epsilonPlacement, center, rescale }: NormalizeAttrs): Form => ({
  view,
  epsilon,
  placement: rescale ? PLACEMENTS[epsilonPlacement] : NO_DIVISION,
  center,
});

/**
 * Tensors of forms, the first input of every op: float64 numbers in the memory of float32 ones, which native/call.cc reads. Making one
 * takes as long as running an op on a small tensor: so they are kept, and dropped all at once if there are more than a network has.
 */
class Forms {
  static readonly MOST = 256;
  readonly #ids = new Map<string, number>();

  /** The tensor of a form; `present` has a bit for each input that is given. */
  id(
    binding: Binding,
    { view, epsilon = 0, placement = 0, center = false, momentum = 0, row = 0 }: Form,
    present: number,
  ) {
    const { n, s, c, groups, rowsPerCondition = 0 } = view;
    const all = [n, s, c, groups, epsilon, placement, Number(center), present, momentum, row, rowsPerCondition];
    const key = all.join(' ');
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (this.#ids.size === Forms.MOST) this.#clear(binding);
    const floats = new Float32Array(Float64Array.from(all).buffer);
    const id = binding.createTensor([floats.length], binding.TF_FLOAT, floats);
    this.#ids.set(key, id);
    return id;
  }

  #clear(binding: Binding): void {
    for (const id of this.#ids.values()) binding.deleteTensor(id);
    this.#ids.clear();
  }
}

/** One run of an op. */
interface Run {
  readonly backend: NodePort;
  readonly op: string;
  readonly form: Form;
  readonly inputs: readonly Optional[];
}

/** A function that runs ops whose names have this prefix, and gives outputs of these shapes. */
function runnerOf(prefix: string) {
  const forms = new Forms();
  return ({ backend, op, form, inputs }: Run, ...shapes: (readonly number[])[]): TensorInfo[] => {
    const { binding } = backend;
    const given: TensorInfo[] = [];
    let present = 0;
    for (let i = 0; i < inputs.length; i++) {
      if (inputs[i] === undefined) continue;
      given.push(inputs[i] as TensorInfo);
      present |= 2 << i;
    }
    const formId = forms.id(binding, form, present);
    const ids = backend.getInputTensorIds(given);
    // An op has a fixed number of inputs: the form stands in for absent ones.
    for (let i = 0; i < inputs.length; i++) if (inputs[i] === undefined) ids.splice(i, 0, formId);
    ids.unshift(formId);
    return binding.executeOp(prefix + op, [], ids, shapes.length).map(({ id, dtype }, i) => {
      return backend.createOutputTensor({ id, shape: [...(shapes[i] as readonly number[])], dtype });
    });
  };
}

/** The kernels whose ops have names with this prefix. */
export function nativeKernels(prefix: string): Partial<KernelSet<NodePort>['kernels']> {
  const execute = runnerOf(prefix);

  const Normalize: Kernel<'Normalize', NodePort> = ({ inputs: { x, residual, gamma, beta }, attrs, backend }) => {
    const { view, yOnly } = attrs;
    const statistics = [2, view.n * view.groups];
    const shapes = residual ? [x.shape, statistics, x.shape] : yOnly ? [x.shape] : [x.shape, statistics];
    const inputs = [x, residual, gamma, beta];
    const op = `Normalize${shapes.length}`;
    return execute({ backend, op, form: formOf(attrs), inputs }, ...shapes) as Outputs<'Normalize', TensorInfo>;
  };

  const NormalizeGrad: Kernel<'NormalizeGrad', NodePort> = ({ inputs, attrs, backend }) => {
    const { dy, dsum, x, statistics, gamma } = inputs;
    const { c, rowsPerCondition } = attrs.view;
    const parameters = rowsPerCondition === undefined ? [c] : [conditionsOf(attrs.view), c];
    const shapes = attrs.affine ? [x.shape, parameters, parameters] : [x.shape];
    const op = `NormalizeGrad${shapes.length}`;
    const all = { backend, op, form: formOf(attrs), inputs: [dy, dsum, x, statistics, gamma] };
    return execute(all, ...shapes) as Outputs<'NormalizeGrad', TensorInfo>;
  };

  const Moments: Kernel<'Moments', NodePort> = ({ inputs: { x }, attrs: { view }, backend }) => {
    const form = { view, center: true, placement: NO_DIVISION };
    return execute({ backend, op: 'Moments', form, inputs: [x] }, [2, view.n * view.groups]) as [TensorInfo];
  };

  const ScaleShift: Kernel<'ScaleShift', NodePort> = ({ inputs, attrs, backend }) => {
    const { x, mean, variance, scale, shift } = inputs;
    const all = { backend, op: 'ScaleShift', form: attrs, inputs: [x, mean, variance, scale, shift] };
    return execute(all, x.shape) as [TensorInfo];
  };

  const ScaleShiftGrad: Kernel<'ScaleShiftGrad', NodePort> = ({ inputs: { dy, x, mean }, attrs, backend }) => {
    const shape = [attrs.view.n, attrs.view.c];
    const all = { backend, op: 'ScaleShiftGrad', form: attrs, inputs: [dy, x, mean] };
    return execute(all, shape, shape) as [TensorInfo, TensorInfo];
  };

  const BlendGrad: Kernel<'BlendGrad', NodePort> = ({ inputs, attrs, backend }) => {
    const { dy, x, mean, scale, a, b } = inputs;
    const all = { backend, op: 'BlendGrad', form: attrs, inputs: [dy, x, mean, scale, a, b] };
    return execute(all, x.shape) as [TensorInfo];
  };

  const Average: Kernel<'Average', NodePort> = ({ inputs: { old, moments }, attrs, backend }) => {
    const c = old.shape.reduce((a, b) => a * b, 1);
    const form = { view: { n: 1, s: 1, c, groups: 1 }, ...attrs };
    return execute({ backend, op: 'Average', form, inputs: [old, moments] }, old.shape) as [TensorInfo];
  };

  const composed = withConditions({ Normalize, NormalizeGrad, ScaleShift, ScaleShiftGrad });
  return {
    Normalize: (call) => (isShort(call.attrs.view) ? composed.Normalize(call) : Normalize(call)),
    NormalizeGrad: (call) => (isShort(call.attrs.view) ? composed.NormalizeGrad(call) : NormalizeGrad(call)),
    ...{ Moments, ScaleShift, ScaleShiftGrad, BlendGrad, Average },
  };
}

/** Whether conditions have few rows. An op takes one condition after the other, and beginning a short one costs more than computing it. */
const isShort = ({ rowsPerCondition = SHORT }: View) => rowsPerCondition < SHORT;
const SHORT = 8;
