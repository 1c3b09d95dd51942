/**
 * Packages that only some formats need: optional peers, imported when they are first needed. Each import stands in a `try`, by which
 * bundlers see that the package may be missing.
 */
import { fail } from '../../kernels/core/errors.ts';

/** Fails with the command that installs the package `name`, which could not be imported. */
export function refuseWithout(name: string, who: string, error: unknown): never {
  const why = (error as Error).message;
  fail(who, `the package ${name} could not be loaded (${why}); npm install ${name}`);
}
