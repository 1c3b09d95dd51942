/**
 * Options of layers: which there are, and what saved configs make of them. Nothing here knows a particular layer.
 */
import type { serialization } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';
import { unknownOption } from '../../kernels/functions/checks.ts';

/** What is saved of a layer. */
export type ConfigDict = serialization.ConfigDict;
/** Options of `tf.layers.Layer`. */
export type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;
export type Kwargs = Parameters<layers.Layer['call']>[1];
/** A shape; null is a size that is not known yet. */
export type Shape = (number | null)[];

/** Shapes as a list, also that of a single input. */
export const listOfShapes = (shapes: Shape | Shape[]): Shape[] =>
  (Array.isArray(shapes[0]) ? shapes : [shapes]) as Shape[];

const LAYER_OPTIONS: readonly (keyof LayerArgs)[] = [
  'inputShape',
  'batchInputShape',
  'batchSize',
  'dtype',
  'name',
  'trainable',
  'weights',
  'inputDType',
];

const DTYPES = ['float32', 'int32', 'bool'];

/** The options of a constructor, if they are an object: TensorFlow.js's own constructor would fail without saying why. */
export function checkArgs<Args>(target: unknown, args: Args): Args {
  if (typeof args === 'object' && args !== null && !Array.isArray(args)) return args;
  const { className } = target as { className: string };
  return fail(className, `the options must be one object, such as {name: 'norm'}; received ${show(args)}`);
}

/** Refuses options that are neither `own` nor of `tf.layers.Layer`. */
export function checkOptions(who: string, args: object, own: readonly string[]): void {
  const known = [...own, ...LAYER_OPTIONS];
  const unknown = Object.entries(args).find(([key, value]) => value !== undefined && !known.includes(key))?.[0];
  if (unknown) fail(who, unknownOption(unknown, known));
}

/** Constructor options from a saved config: without TensorFlow.js's own key, what is null, and Keras's dtype policies. */
export function savedOptions(saved: ConfigDict): ConfigDict {
  const { customObjects: _, dtype, ...config } = saved;
  for (const key of Object.keys(config)) if (config[key] === null) delete config[key];
  // In TensorFlow.js this is the dtype of a first layer's input. Keras may save a policy or a precision that TensorFlow.js lacks.
  if (typeof dtype === 'string' && DTYPES.includes(dtype)) config.dtype = dtype;
  return config;
}

/** `config` without the options of these names. */
export const withoutOptions = (config: ConfigDict, names: readonly string[]): ConfigDict =>
  Object.fromEntries(Object.entries(config).filter(([name]) => !names.includes(name)));

/** A copy of the objects and arrays of a config: TensorFlow.js's classes write into the configs that they are given. */
export function deepCopy<T>(value: T): T {
  if (Array.isArray(value)) return value.map(deepCopy) as T;
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, deepCopy(own)])) as T;
}

/** Whether `value` is a plain object, also one of another page or Node context, each of which has a class Object of its own. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
