/** Packages that only some formats need. They are optional peers, and loaded when they are first needed. */
import { fail } from '../../kernels/core/errors.ts';

/** What `load` imports; fails with the command that installs the package where it is missing. */
export async function loadPeer<Module>(who: string, name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    const why = (error as Error).message;
    return fail(who, `the package ${name} could not be loaded (${why}); npm install ${name}`);
  }
}
