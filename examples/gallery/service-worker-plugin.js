/** service-worker.js beside the start page of the build, with the list of what every page needs. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Kept at the first visit. What is large (weights, digits, backends) is kept when a page has loaded it. */
const ALWAYS = /\.(html|css)$|assets\/.*\.js$|\.json$/;
const LARGE = 2e6;

/** @returns {import('vite').Plugin} */
export function serviceWorker() {
  return {
    name: 'service-worker',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const contentOf = (file) => bundle[file].source ?? bundle[file].code;
        const files = Object.keys(bundle).filter((file) => ALWAYS.test(file) && contentOf(file).length < LARGE);
        // Names of assets hold a hash of their content; those of pages do not.
        const contents = files.map(contentOf);
        const version = createHash('sha256').update(contents.join('\0')).digest('hex').slice(0, 12);
        const text = readFileSync(new URL('./service-worker.js', import.meta.url), 'utf8');
        const source = text.replace("'VERSION'", `'${version}'`).replace("['FILES']", JSON.stringify(files.sort()));
        this.emitFile({ type: 'asset', fileName: 'service-worker.js', source });
      },
    },
  };
}
