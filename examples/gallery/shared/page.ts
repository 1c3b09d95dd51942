/**
 * What all pages have: navigation, the switch of the backend, the explanation of the normalizations out of the one
 * catalog, the source to copy, and the state of the memory.
 */
// What pages import after this module refines it.
import './style.css';
import { type CatalogEntry, catalog } from 'tfjs-normalizations/layers/catalog';
import { findPage, pages } from '../pages.ts';
import { allSettings, given } from './address.ts';
import { backendsHere, startBackend, switchBackend } from './backend.ts';
import { colors, type Named, shortNames, textColor } from './colors.ts';
import { docsLink, referenceOf } from './docs.ts';
import { element, section } from './dom.ts';
import { expose } from './expose.ts';
import { copyLink } from './link.ts';
import { memoryLine, showMemory } from './memory.ts';
import { keepOffline } from './offline.ts';
import { waitFor } from './standing.ts';

export interface PageOptions {
  /** The folder of the page, as in pages.ts. */
  readonly folder: string;
  /** What there is to see, in two or three sentences. */
  readonly explanation: string;
  /** Whose data and weights are shown. */
  readonly attributions?: readonly (Node | string)[];
  /** What else belongs to the source of the page: texts to load, by path. */
  readonly sources?: Readonly<Record<string, () => Promise<string>>>;
}

/** Builds the frame and starts the backend. The page adds its parts to `main`, and says when that is busy no more. */
export async function openPage({ folder, explanation, attributions = [], sources = {} }: PageOptions): Promise<{
  readonly main: HTMLElement;
  readonly backend: string;
  readonly device: string;
}> {
  performance.mark('script');
  const { title, layers } = findPage(folder);
  document.title = `${title} – tfjs-normalizations`;
  const main = element('main', { id: 'main', tabIndex: -1, 'aria-busy': true });
  const backendPlace = element('div', { className: 'backend' }, copyLink());
  const foot = element('footer', {}, element('p', {}, 'Memory of TensorFlow.js: ', memoryLine));
  for (const text of attributions) foot.append(element('p', {}, text));
  document.body.append(
    element('a', { className: 'skip', href: '#main' }, 'Skip to the content'),
    header(folder, backendPlace),
    intro(title, explanation),
    main,
    section('What it is', element('div', { className: 'cards' }, ...layers.map((layer) => card(entryOf(layer))))),
    sourceSection(folder, sources),
    foot,
  );
  // To ask for a GPU takes a while: the page does not wait for the answer before it shows something.
  const backends = backendsHere();
  const started = await startBackend();
  waitFor(async () => backendPlace.prepend(...backendSwitch(started, await backends)));
  showMemory();
  keepOffline('../');
  expose({ settings: allSettings });
  return { main, backend: started.name, device: started.device };
}

/** On a phone the explanation shows its beginning, so that the picture is on the first screen. */
function intro(title: string, explanation: string): HTMLElement {
  const text = element('p', {}, explanation);
  const more = element('button', { type: 'button', className: 'more', ariaExpanded: 'false' }, 'More');
  more.addEventListener('click', () => {
    const open = text.classList.toggle('open');
    more.ariaExpanded = String(open);
    more.textContent = open ? 'Less' : 'More';
  });
  const heading = element('h1', { id: 'title' }, title);
  return element('section', { className: 'intro', 'aria-labelledby': heading.id }, heading, text, more);
}

function header(folder: string, backendPlace: HTMLElement): HTMLElement {
  const wanted = given('backend');
  const link = (page: { folder: string; title: string }) =>
    element(
      'a',
      {
        href: `../${page.folder}/index.html${wanted === null ? '' : `?backend=${encodeURIComponent(wanted)}`}`,
        ...(page.folder === folder && { 'aria-current': 'page' }),
      },
      page.title,
    );
  const home = element('a', { className: 'home', href: '../index.html' }, 'tfjs-normalizations');
  const nav = element(
    'nav',
    { 'aria-label': 'Pages' },
    ...pages.map(link),
    docsLink('../', 'index.html', 'Documentation'),
  );
  return element('header', {}, element('div', { className: 'bar' }, home, backendPlace), nav);
}

function backendSwitch(
  { name, device, missing }: Awaited<ReturnType<typeof startBackend>>,
  backends: readonly string[],
): (Node | string)[] {
  const select = element(
    'select',
    { name: 'backend' },
    ...backends.map((value) => element('option', { value, selected: value === name }, value)),
  );
  select.addEventListener('change', () => switchBackend(select.value));
  const label = element('label', {}, element('span', {}, 'Backend '), select);
  const text = missing ? `${device} (this browser has no '${missing}')` : device;
  return [label, element('span', { className: 'device', title: text }, text)];
}

function entryOf(className: Named): CatalogEntry {
  const entry = catalog.find((entry) => entry.className === className);
  if (!entry) throw new Error(`no '${className}' in the catalog`);
  return entry;
}

/** A normalization in short: formula, what it averages, where it is good, and the paper. */
function card(entry: CatalogEntry): HTMLElement {
  const { className, axis, formula, advantages, disadvantages, use, paper } = entry;
  const name = className as Named;
  const list = (title: string, mark: string, items: readonly string[]) =>
    element('ul', { 'aria-label': title, className: mark }, ...items.map((item) => element('li', {}, item)));
  return element(
    'article',
    { className: 'card', style: `--accent: ${colors[name]}; --accent-text: ${textColor(colors[name])}` },
    element('h3', {}, shortNames[name], ' ', element('code', {}, className)),
    element('p', { className: 'formula' }, formula),
    element('p', {}, `Normalized over ${axis}.`),
    list('Advantages', 'good', advantages),
    list('Disadvantages', 'bad', disadvantages),
    element('p', {}, element('strong', {}, 'Best for '), `${use}.`),
    element('p', {}, element('a', { href: paper.url }, `${paper.authors}: ${paper.title} (${paper.year})`)),
    element('p', {}, docsLink('../', referenceOf(className), `Options of ${className}`)),
  );
}

const texts = import.meta.glob<string>('../*/*.ts', { query: '?raw', import: 'default' });

function sourceSection(folder: string, more: NonNullable<PageOptions['sources']>): HTMLElement {
  const isMain = ([path]: readonly [string, unknown]) => Number(path.endsWith('/main.ts'));
  const own = Object.entries(texts)
    .filter(([path]) => path.startsWith(`../${folder}/`))
    .sort((a, b) => isMain(b) - isMain(a));
  const all = [...own, ...Object.entries(more)];
  const files = all.map(([path, load]) => file(path.split('/').pop() as string, load));
  const text = 'Take what you need: the page in full, without the parts that all pages share.';
  return section('Source', element('p', {}, text), ...files);
}

/** The text comes when the page shows all else. */
function file(name: string, load: () => Promise<string>): HTMLElement {
  const code = element('code');
  const copy = element('button', { type: 'button' }, 'Copy');
  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText(code.textContent ?? '');
    copy.textContent = 'Copied';
  });
  waitFor(async () => {
    code.textContent = await load();
  });
  const whole = element('pre', { tabIndex: 0, 'aria-label': name }, code);
  return element('details', {}, element('summary', {}, name), copy, whole);
}
