/** A module with all that it imports, as one script for a page. */
import { build, type Plugin } from 'esbuild';

export async function bundle(
  entry: string,
  { sourcemap = false, plugins = [] }: { sourcemap?: 'inline' | false; plugins?: Plugin[] } = {},
): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    // Only reached where there is no window.
    external: ['crypto', 'fs', 'node-fetch', 'os', 'path', 'string_decoder', 'util'],
    sourcemap,
    plugins,
    logLevel: 'error',
  });
  return outputFiles[0]!.text;
}
