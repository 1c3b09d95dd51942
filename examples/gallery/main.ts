/** The start page: one tile for each of the others. */
import './shared/style.css';
import { type PageEntry, pages } from './pages.ts';
import { shortNames } from './shared/colors.ts';
import { element } from './shared/dom.ts';

const pictures = import.meta.glob<string>('./thumbnails/*.jpg', { query: '?url', import: 'default', eager: true });

const tile = ({ folder, title, summary, layers }: PageEntry) =>
  element(
    'a',
    { className: 'card tile', href: `${folder}/index.html` },
    element('img', { src: pictures[`./thumbnails/${folder}.jpg`], alt: '', width: 600, height: 375 }),
    element('h2', {}, title),
    element('p', {}, summary),
    element('p', { className: 'names' }, layers.map((layer) => shortNames[layer]).join(' · ')),
  );

document.body.append(
  element(
    'header',
    {},
    element('div', { className: 'bar' }, element('span', { className: 'home' }, 'tfjs-normalizations')),
  ),
  element(
    'div',
    { className: 'intro' },
    element('h1', {}, 'See what each normalization does'),
    element(
      'p',
      {},
      'Twelve normalizations for TensorFlow.js, on real data, trained in your browser by the real kernels.',
    ),
  ),
  element('main', { className: 'cards' }, ...pages.map(tile)),
);
