/** Methods of objects replaced for a while: to see the calls of layers, and the operations that run. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import type { Kwargs } from '../../base/options.ts';

type Result = Tensor | Tensor[];

/** Runs `f` while objects have another method `name`, and lets them have their own again, also if `f` throws. */
export function withMethod<T, O extends object, K extends keyof O>(
  objects: Iterable<O>,
  name: K,
  methodFor: (object: O, own: O[K]) => O[K],
  f: () => T,
): T {
  const before = [...objects].map((object) => [object, Object.getOwnPropertyDescriptor(object, name)] as const);
  try {
    for (const [object] of before) object[name] = methodFor(object, object[name]);
    return f();
  } finally {
    for (const [object, descriptor] of before) {
      delete (object as Partial<O>)[name];
      if (descriptor) Object.defineProperty(object, name, descriptor);
    }
  }
}

/** Runs `f` while calls of layers go through `around`, which makes them by `proceed`. */
export const withCalls = <T>(
  watched: Iterable<layers.Layer>,
  around: (layer: layers.Layer, proceed: () => Result, x: Tensor, kwargs: Kwargs) => Result,
  f: () => T,
): T =>
  withMethod(
    watched,
    'call',
    (layer, call) => (inputs, kwargs) =>
      around(layer, () => call.call(layer, inputs, kwargs), [inputs].flat()[0] as Tensor, kwargs),
    f,
  );
