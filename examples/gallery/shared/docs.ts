/** Links into the documentation, which `npm run docs` puts beside the built gallery; while one works on the gallery it is not there. */
import { element } from './dom.ts';

/**
 * @param root the way to the start page
 * @param page of the documentation
 */
export const docsLink = (root: string, page: string, text: string): HTMLElement | false =>
  import.meta.env.PROD && element('a', { href: `${root}docs/${page}` }, text);

/** The page of a layer in the API reference. */
export const referenceOf = (className: string): string => `classes/tfjs-normalizations.${className}.html`;
