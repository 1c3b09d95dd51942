/** The gallery as a site: `npm start` serves it, `npm run build:gallery` makes it static, for any sub-folder. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { digits } from './digits-plugin.js';
import { head } from './head-plugin.js';
import { serviceWorker } from './service-worker-plugin.js';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
/** Every folder of this one with an index.html is a page. */
const pages = readdirSync(path('.'), { recursive: true }).filter((file) => /^([^/\\]+[/\\])?index\.html$/.test(file));

export default defineConfig({
  root: path('.'),
  base: './',
  cacheDir: path('../../.cache/vite'),
  publicDir: false,
  plugins: [digits(), head(), serviceWorker()],
  resolve: {
    // The library as it stands, not as it was built last.
    alias: [
      { find: /^tfjs-normalizations$/, replacement: path('../../layers/index.ts') },
      { find: /^tfjs-normalizations\/(kernels\/.*)$/, replacement: path('../../$1/index.ts') },
      { find: /^tfjs-normalizations\/surgery$/, replacement: path('../../layers/models/surgery/index.ts') },
      { find: /^tfjs-normalizations\/files$/, replacement: path('../../layers/files/index.ts') },
      { find: /^tfjs-normalizations\/(.*)$/, replacement: path('../../$1.ts') },
    ],
  },
  // Found before the first page opens: to find more of them later means to reload the page.
  optimizeDeps: {
    include: [
      ...['', '-core', '-layers', '-backend-wasm', '-backend-webgpu'].map((name) => `@tensorflow/tfjs${name}`),
      '@observablehq/plot',
      'fflate',
      'h5wasm',
    ],
  },
  worker: { format: 'es', plugins: () => [digits()] },
  server: { open: process.stdout.isTTY === true && !process.env.CI, fs: { allow: [path('../..')] } },
  build: {
    outDir: path('../../dist/gallery'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 6144, // TensorFlow.js, and the reader of HDF5 files, which is loaded where one is dropped
    rollupOptions: { input: pages.map((page) => path(page)) },
  },
});
