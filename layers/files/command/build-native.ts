/** `tfjs-normalizations build-native`. */

/** The package's recipe, of which nothing else is known here: it lies among the sources that it compiles. */
interface Recipe {
  buildNative(): Promise<{ output: string; compiler: string }>;
}

/** Compiles the native kernels of the tensorflow backend into the package, and says so on stdout. */
export async function buildNative(): Promise<void> {
  const recipe = new URL('../../../../kernels/node/native/build.mjs', import.meta.url);
  const start = Date.now();
  const { output, compiler } = await ((await import(recipe.href)) as Recipe).buildNative();
  process.stdout.write(`${output}: compiled by ${compiler} in ${((Date.now() - start) / 1000).toFixed(1)} s\n`);
}
