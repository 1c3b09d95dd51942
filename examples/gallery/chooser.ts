/** Which normalization? Four questions, and a card with the answer out of the library's catalog. */
import {
  batches,
  type CatalogEntry,
  catalog,
  data,
  networks,
  places,
  type Recommendation,
  recommend,
} from 'tfjs-normalizations/layers/catalog';
import { pages } from './pages.ts';
import { colors, type Named, shortNames, textColor } from './shared/colors.ts';
import { choice, settings } from './shared/controls.ts';
import { docsLink, referenceOf } from './shared/docs.ts';
import { element, section } from './shared/dom.ts';

/** Normalizations are explained best by the page that compares fewest of them. */
const compares = (folder: string) => folder !== 'benchmark' && folder !== 'save-and-load';
function pageOf(className: string) {
  const showing = pages.filter(
    ({ layers, folder }) => compares(folder) && (layers as readonly string[]).includes(className),
  );
  return showing.sort((a, b) => a.layers.length - b.layers.length)[0];
}

const link = (className: string): HTMLElement | undefined => {
  const page = pageOf(className);
  return page && element('a', { href: `${page.folder}/index.html` }, page.title);
};

/** What the claims of a normalization are called on the page that puts them to the test: `batch-1` and so on. */
const tested: Partial<Record<Named, string>> = {
  BatchNormalization: 'batch',
  InstanceNormalization: 'instance',
  LayerNormalization: 'layer',
  RMSNormalization: 'rms',
  GroupNormalization: 'group',
  WeightNormalization: 'weight',
  SpectralNormalization: 'spectral',
  BatchInstanceNormalization: 'batch-instance',
  SwitchableNormalization: 'switchable',
  BatchRenormalization: 'renorm',
  MeanOnlyBatchNormalization: 'mean-only',
};

function card({ className, why, code, also }: Recommendation): HTMLElement {
  const name = className as Named;
  const entry = catalog.find((entry) => entry.className === className) as CatalogEntry;
  const { formula, disadvantages, paper } = entry;
  const style = `--accent: ${colors[name]}; --accent-text: ${textColor(colors[name])}`;
  const copy = element('button', { type: 'button' }, 'Copy');
  copy.addEventListener('click', async () => {
    await navigator.clipboard.writeText(code);
    copy.textContent = 'Copied';
  });
  return element(
    'article',
    { className: 'card answer', style, 'data-answer': className },
    element('h3', {}, shortNames[name], ' ', element('code', {}, className)),
    element('p', {}, why),
    element('p', { className: 'formula' }, formula),
    element('div', { className: 'code' }, element('code', {}, code), copy),
    element('p', {}, element('strong', {}, 'But: '), `${disadvantages.join('; ')}.`),
    element(
      'p',
      {},
      'See it: ',
      link(className),
      '. Read it: ',
      element('a', { href: paper.url }, `${paper.authors} ${paper.year}`),
      '. ',
      docsLink('', referenceOf(className), 'Options'),
    ),
    tested[name] !== undefined &&
      element(
        'p',
        {},
        'Put to the test: ',
        element('a', { href: `claims/index.html#${tested[name]}-1` }, 'what holds of it, and what does not'),
        '.',
      ),
    also !== undefined && element('p', {}, 'Also worth a try: ', shortNames[also as Named], ', on ', link(also), '.'),
  );
}

export function chooser(): HTMLElement {
  const network = choice({ name: 'network', label: 'What do you build?', choices: networks, value: 'convolutional' });
  const kind = choice({ name: 'data', label: 'The data are', choices: data, value: 'usual' });
  const batch = choice({ name: 'batch', label: 'A batch has', choices: batches, value: 'small' });
  const runs = choice({ name: 'runs', label: 'It runs in', choices: places, value: 'here' });
  const place = element('div', { 'aria-live': 'polite', className: 'answers' });
  const show = () =>
    place.replaceChildren(
      card(recommend({ network: network.value, data: kind.value, batch: batch.value, runs: runs.value })),
    );
  for (const control of [network, kind, batch, runs]) control.onChange(show);
  show();
  return section('Which normalization?', settings(network, kind, batch, runs), place);
}
