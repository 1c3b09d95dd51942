/**
 * Initializers, regularizers and constraints from what options and saved configs may hold, and back: a name, an instance,
 * or `{className, config}`, also in Keras 3's spelling with `module` and `registeredName`.
 * TensorFlow.js keeps its own versions of these functions private.
 */
import { Optimizer, serialization } from '@tensorflow/tfjs-core';
import { constraints, initializers, layers, regularizers } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../kernels/core/errors.ts';

/** A `tf.initializers` instance. */
export type Initializer = ReturnType<typeof initializers.zeros>;
/** A `tf.regularizers` instance. */
export type Regularizer = ReturnType<typeof regularizers.l2>;
/** A `tf.constraints` instance. */
export type Constraint = ReturnType<typeof constraints.nonNeg>;

/** A name such as 'zeros', an instance such as `tf.initializers.zeros()`, or a saved config. */
export type Identifier<T> = string | T | serialization.ConfigDict;

/** Options of initializers whose values are numbers. */
const NUMBERS = ['gain', 'maxval', 'mean', 'minval', 'scale', 'stddev', 'value'];

const KINDS = { Initializer: initializers, Regularizer: regularizers, Constraint: constraints };
type Kind = keyof typeof KINDS;

/** Makes an object of each kind: its class is derived from the kind's base class, which TensorFlow.js does not export. */
const EXAMPLES = { Initializer: initializers.zeros, Regularizer: regularizers.l2, Constraint: constraints.nonNeg };

/** The kind that an option is of, such as `betaInitializer` or `beta_initializer`, by the end of its name. */
export const kindOfOption = (option: string): Kind | undefined =>
  (Object.keys(KINDS) as Kind[]).find((kind) => option.toLowerCase().endsWith(kind.toLowerCase()));

/** Whether an object that has an `apply` is a layer or of another kind, whose `apply` does something else. */
export function isOther(instance: object, kind: Kind): boolean {
  const others = (Object.keys(EXAMPLES) as Kind[]).filter((other) => other !== kind);
  const isA = (other: Kind) => instance instanceof Object.getPrototypeOf(EXAMPLES[other]().constructor);
  return instance instanceof layers.Layer || instance instanceof Optimizer || others.some(isA);
}

/** The instance that `identifier` stands for. `option` is its name, such as `betaInitializer`, whose end tells the kind. */
export function resolveIdentifier<T extends serialization.Serializable>(
  who: string,
  option: string,
  identifier: Identifier<T>,
): T {
  const kind = kindOfOption(option) as Kind;
  const named = KINDS[kind] as unknown as Record<string, (config: object) => T>;
  const usable = (instance: T) =>
    typeof (instance as { apply?: unknown }).apply === 'function' && !isOther(instance, kind);
  if (identifier instanceof serialization.Serializable && usable(identifier)) return identifier;
  const config = (
    typeof identifier === 'string' ? { className: identifier, config: {} } : identifier
  ) as serialization.ConfigDict;
  const name = config?.className;
  if (typeof name === 'string') {
    // The factories' names differ from Keras's class names in capitals alone: l2 and L2, leCunNormal and LecunNormal.
    const key = Object.keys(named).find((key) => key.toLowerCase() === name.toLowerCase());
    const factory = key === undefined ? undefined : named[key];
    const { classNameMap } = serialization.SerializationMap.getMap();
    const registered = Object.hasOwn(classNameMap, name) ? classNameMap[name] : undefined;
    const own = (config.config ?? {}) as serialization.ConfigDict;
    for (const [key, value] of Object.entries(own)) {
      // With NaN, TensorFlow.js's truncated normal distribution would draw numbers forever.
      const isWrong = NUMBERS.includes(key) && value !== null && value !== undefined && !Number.isFinite(value);
      if (isWrong) fail(who, `${option} '${name}': ${key} must be a finite number; received ${show(value)}; give one`);
    }
    let made: T | undefined;
    try {
      made = factory ? factory(own) : (registered?.[1](registered[0], own) as T | undefined);
    } catch (error) {
      fail(who, `${option} '${name}' could not be made: ${(error as Error).message}; give other options`);
    }
    if (made && usable(made)) return made;
  }
  return fail(
    who,
    `${option} must be ${kind === 'Initializer' ? 'an' : 'a'} ${kind.toLowerCase()}, its name or its saved config; received ${show(identifier)}; ` +
      `names are ${Object.keys(named).join(', ')}`,
  );
}

/** What `getConfig` saves of an initializer, regularizer or constraint. */
export function configOf(instance: serialization.Serializable | undefined): serialization.ConfigDict | null {
  return instance ? { className: instance.getClassName(), config: instance.getConfig() } : null;
}

/** The names of the options of a weight such as gamma: gammaInitializer, gammaRegularizer, gammaConstraint. */
export const identifierOptions = (weight: string): string[] => Object.keys(KINDS).map((kind) => weight + kind);

/** The values of the fields of these names, which `assignIdentifiers` has set. */
export function identifiersOf(
  layer: layers.Layer,
  weight: string,
): [initializer: Initializer | undefined, regularizer: Regularizer | undefined, constraint: Constraint | undefined] {
  const fields = layer as unknown as Readonly<Record<string, (Initializer & Regularizer & Constraint) | undefined>>;
  const [initializer, regularizer, constraint] = identifierOptions(weight).map((name) => fields[name]);
  return [initializer, regularizer, constraint];
}

/** Sets the fields of these names, which code written for TensorFlow.js's layers may read, such as gammaInitializer. */
export function assignIdentifiers(
  layer: layers.Layer,
  args: object,
  names: readonly string[],
  defaults: Readonly<Record<string, Identifier<Initializer>>>,
): void {
  const given = args as Readonly<Record<string, Identifier<Initializer & Regularizer & Constraint> | null | undefined>>;
  for (const name of names) {
    const identifier =
      given[name] ?? (defaults[name] as Identifier<Initializer & Regularizer & Constraint> | undefined);
    const isGiven = identifier !== undefined && identifier !== null;
    const instance = isGiven ? resolveIdentifier(layer.getClassName(), name, identifier) : undefined;
    Object.assign(layer, { [name]: instance });
  }
}
