/**
 * Initializers, regularizers and constraints from what options and saved configs may hold, and back: a name, an instance,
 * or `{className, config}`, also in Keras 3's spelling with `module` and `registeredName`.
 * TensorFlow.js keeps its own versions of these functions private.
 */
import { serialization } from '@tensorflow/tfjs-core';
import { constraints, initializers, regularizers } from '@tensorflow/tfjs-layers';
import { fail } from '../kernels/checks.ts';

export type Initializer = ReturnType<typeof initializers.zeros>;
export type Regularizer = ReturnType<typeof regularizers.l2>;
export type Constraint = ReturnType<typeof constraints.nonNeg>;

/** A name such as 'zeros', an instance such as `tf.initializers.zeros()`, or a saved config. */
export type Identifier<T> = string | T | serialization.ConfigDict;

const KINDS = { Initializer: initializers, Regularizer: regularizers, Constraint: constraints };
type Kind = keyof typeof KINDS;

/** The instance that `identifier` stands for. `option` is its name, such as `betaInitializer`, whose end tells the kind. */
export function resolve<T extends serialization.Serializable>(
  who: string,
  option: string,
  identifier: Identifier<T>,
): T {
  const kind = Object.keys(KINDS).find((k) => option.endsWith(k)) as Kind;
  const named = KINDS[kind] as unknown as Record<string, (config: object) => T>;
  if (identifier instanceof serialization.Serializable) return identifier;
  const config = typeof identifier === 'string' ? { className: identifier, config: {} } : identifier;
  const name = config?.className;
  if (typeof name === 'string') {
    // A factory's name, or the class that Keras names so: L2 is l2 here, and LecunNormal leCunNormal.
    const key = Object.keys(named).find((key) => key.toLowerCase() === name.toLowerCase());
    const factory = key === undefined ? undefined : named[key];
    const { classNameMap } = serialization.SerializationMap.getMap();
    const registered = Object.hasOwn(classNameMap, name) ? classNameMap[name] : undefined;
    const own = (config.config ?? {}) as serialization.ConfigDict;
    try {
      if (factory) return factory(own);
      if (registered) return registered[1](registered[0], own) as T;
    } catch (error) {
      fail(who, `${option} '${name}' could not be made: ${(error as Error).message}`);
    }
  }
  return fail(
    who,
    `${option} must be ${kind === 'Initializer' ? 'an' : 'a'} ${kind.toLowerCase()}, its name or its saved config; received ${JSON.stringify(identifier)}; ` +
      `names are ${Object.keys(named).join(', ')}`,
  );
}

/** What `getConfig` writes. */
export function describe(instance: serialization.Serializable | undefined): serialization.ConfigDict | null {
  return instance ? { className: instance.getClassName(), config: instance.getConfig() } : null;
}
