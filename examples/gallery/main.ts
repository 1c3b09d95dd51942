/** The start page: what a normalization is, which one to take, and one tile for each of the other pages. */
import './shared/style.css';
import './averages/cube.css';
import './start.css';
import { chooser } from './chooser.ts';
import { type PageEntry, pages } from './pages.ts';
import { allSettings } from './shared/address.ts';
import { shortNames } from './shared/colors.ts';
import { docsLink } from './shared/docs.ts';
import { element, section } from './shared/dom.ts';
import { expose } from './shared/expose.ts';
import { copyLink } from './shared/link.ts';
import { keepOffline } from './shared/offline.ts';
import { stands } from './shared/standing.ts';
import { tour } from './tour.ts';

performance.mark('script');
const pictures = import.meta.glob<string>('./thumbnails/*.jpg', { query: '?url', import: 'default', eager: true });

const tile = ({ folder, title, summary, layers }: PageEntry) =>
  element(
    'a',
    { className: 'card tile', href: `${folder}/index.html` },
    element('img', { src: pictures[`./thumbnails/${folder}.jpg`], alt: '', width: 600, height: 375, loading: 'lazy' }),
    element('h3', {}, title),
    element('p', {}, summary),
    element('p', { className: 'names' }, layers.map((layer) => shortNames[layer]).join(' · ')),
  );

const main = element(
  'main',
  { id: 'main', 'aria-busy': true },
  element(
    'div',
    { className: 'first' },
    element(
      'div',
      {},
      element('h1', {}, 'See what each normalization does'),
      element(
        'p',
        { className: 'lead' },
        'A normalization takes a mean away and divides by a deviation, so that a network learns faster: what differs is over which numbers.',
      ),
      element(
        'p',
        { className: 'jump' },
        element('a', { href: '#which-normalization-' }, 'Which one should I use?'),
        element('a', { href: '#see-each-at-work' }, 'See each at work'),
        docsLink('', 'index.html', 'Read the documentation'),
      ),
    ),
    tour(),
  ),
  chooser(),
  section('See each at work', element('div', { className: 'cards' }, ...pages.map(tile))),
);

document.body.append(
  element('a', { className: 'skip', href: '#main' }, 'Skip to the content'),
  element(
    'header',
    {},
    element(
      'div',
      { className: 'bar' },
      element('span', { className: 'home' }, 'tfjs-normalizations'),
      element('div', { className: 'backend' }, element('span', {}, 'normalizations for TensorFlow.js'), copyLink()),
    ),
  ),
  main,
);
keepOffline('./');
expose({ settings: allSettings });
await stands(main);
