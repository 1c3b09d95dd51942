/** Data for a model, gone through in batches, several times over. */
import { dispose, slice, Tensor, type TensorContainer } from '@tensorflow/tfjs-core';
import { fail, show } from '../../../kernels/core/errors.ts';

/** A batch: the input of the model, several in a list or by their names, or `{xs, ys}`, of which `xs` counts. */
export type Batch = Tensor | readonly Tensor[] | Readonly<Record<string, unknown>>;

/** Batches, one after the other. */
export type Batches = Iterable<Batch> | AsyncIterable<Batch>;

/** A `tf.data.Dataset` of batches. */
export interface Dataset {
  /** Starts an iteration. */
  iterator(): Promise<DatasetIterator>;
}

/** An iteration through a {@link Dataset}. */
export interface DatasetIterator {
  /** The next batch, until it is done. */
  next(): Promise<IteratorResult<unknown>>;
}

/**
 * Data to be gone through: all in one tensor, or in a list of one for each input, which are cut into batches; a list of batches or
 * another iterable of them, whose tensors stay the caller's; a `tf.data.Dataset` of batches, or a function that starts an iteration,
 * both of which make tensors anew each time, to be disposed of.
 */
export type DataSource = Tensor | readonly Tensor[] | Batches | Dataset | (() => Batches);

/** What goes through data, as often as it is called, and gives the inputs of the model, one for each. */
export type Passes = () => AsyncGenerator<Tensor[]>;

/** How to go through data for inputs of these names; batches of nothing are passed over. */
export function passesOf(who: string, source: DataSource, names: readonly string[], batchSize: number): Passes {
  const passes = allPassesOf(who, source, names, batchSize);
  return async function* () {
    for await (const inputs of passes()) if (inputs.every(({ size }) => size > 0)) yield inputs;
  };
}

function allPassesOf(who: string, source: DataSource, names: readonly string[], batchSize: number): Passes {
  const inputs = (batch: unknown) => inputsOf(who, batch, names);
  if (source instanceof Tensor) return () => slices([source], batchSize);
  const isWhole = Array.isArray(source) && names.length > 1 && source.every((one) => one instanceof Tensor);
  if (isWhole) return () => slices(inputs(source), batchSize);
  const { iterator } = (source ?? {}) as Partial<Dataset>;
  if (typeof iterator === 'function') {
    return async function* () {
      const batches = await iterator.call(source);
      for (let next = await batches.next(); !next.done; next = await batches.next()) yield* used(next.value, inputs);
    };
  }
  if (typeof source === 'function') {
    return async function* () {
      for await (const batch of source()) yield* used(batch, inputs);
    };
  }
  const batches = source as Iterable<Batch> & AsyncIterable<Batch>;
  const start = batches?.[Symbol.asyncIterator] ?? batches?.[Symbol.iterator];
  if (typeof start !== 'function') {
    fail(who, `the data must be a tensor, an iterable of batches or a tf.data.Dataset; received ${show(source)}`);
  }
  if ((start.call(batches) as unknown) === batches) {
    fail(
      who,
      'the data can be gone through only once, and is needed once for each layer; give the function that makes the iterator',
    );
  }
  return async function* () {
    for await (const batch of batches) yield inputs(batch);
  };
}

/** A batch that is disposed of after its use. */
async function* used(batch: unknown, inputs: (batch: unknown) => Tensor[]): AsyncGenerator<Tensor[]> {
  try {
    yield inputs(batch);
  } finally {
    dispose(batch as TensorContainer);
  }
}

/** Cuts the inputs into batches along their first axis. */
async function* slices(inputs: Tensor[], batchSize: number): AsyncGenerator<Tensor[]> {
  const [size = 0] = inputs[0]?.shape ?? [];
  for (let start = 0; start < size; start += batchSize) {
    const length = Math.min(batchSize, size - start);
    yield* used(
      inputs.map((input) => slice(input, start, length)),
      (batch) => batch as Tensor[],
    );
  }
}

/** The inputs of a model in a batch, in the model's order. */
function inputsOf(who: string, batch: unknown, names: readonly string[]): Tensor[] {
  if (batch instanceof Tensor && names.length === 1) return [batch];
  const record = (typeof batch === 'object' && batch !== null ? batch : {}) as Readonly<Record<string, unknown>>;
  if ('xs' in record) return inputsOf(who, record.xs, names);
  const found = Array.isArray(batch) ? batch : names.map((name) => record[name]);
  if (found.length === names.length && found.every((one) => one instanceof Tensor)) {
    const counts = new Set((found as Tensor[]).map(({ shape }) => shape[0]));
    if (counts.size === 1) return found as Tensor[];
    fail(who, `all inputs must have as many examples; received ${[...counts].join(', ')} for ${names.join(', ')}`);
  }
  const wanted =
    names.length === 1 ? 'a tensor' : `${names.length} tensors, in a list or by the names ${names.join(', ')}`;
  return fail(
    who,
    `a batch must be ${wanted}, or {xs} of that; received ${batch instanceof Tensor ? 'a tensor' : show(batch)}`,
  );
}
