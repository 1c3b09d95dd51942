/**
 * What search engines, links in messages and browsers without JavaScript show of a page: its title, its description, a picture, and a
 * sentence, out of pages.ts. GALLERY_URL is the address of the published gallery: pictures of links need a full one.
 */
import { basename, dirname } from 'node:path';
import { pages, start } from './pages.ts';

/** @returns {import('vite').Plugin} */
export function head() {
  return {
    name: 'head',
    transformIndexHtml(_, { filename }) {
      const folder = basename(dirname(filename));
      const page = pages.find((page) => page.folder === folder);
      const { title, summary } = page ?? start;
      const fullTitle = page ? `${title} – tfjs-normalizations` : title;
      const url = process.env.GALLERY_URL ?? '';
      const image = url ? new URL(`preview.jpg`, url).href : page ? '../preview.jpg' : 'preview.jpg';
      const meta = (attrs) => ({ tag: 'meta', attrs, injectTo: 'head' });
      return [
        { tag: 'title', children: fullTitle, injectTo: 'head' },
        meta({ name: 'description', content: summary }),
        meta({ property: 'og:title', content: fullTitle }),
        meta({ property: 'og:description', content: summary }),
        meta({ property: 'og:type', content: 'website' }),
        meta({ property: 'og:image', content: image }),
        meta({ name: 'twitter:card', content: 'summary_large_image' }),
        {
          tag: 'noscript',
          children: `<h1>${fullTitle}</h1><p>${summary}</p><p>The gallery trains networks in your browser, for which it needs JavaScript.</p>`,
          injectTo: 'body',
        },
      ];
    },
    async generateBundle() {
      const { readFile } = await import('node:fs/promises');
      const source = await readFile(new URL('./screenshot.jpg', import.meta.url));
      this.emitFile({ type: 'asset', fileName: 'preview.jpg', source });
    },
  };
}
