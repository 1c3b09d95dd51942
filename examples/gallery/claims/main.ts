/** All 48 claims about normalizations in a table: how each was put to the test, what came out, and a button to try it here. */
import { colors, shortNames, textColor } from '../shared/colors.ts';
import { choice, labelled, slider } from '../shared/controls.ts';
import { ATTRIBUTION, loadTestDigits, loadTrainingDigits } from '../shared/digits.ts';
import { setDisabled } from '../shared/disabled.ts';
import { element, lab, section } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { openPage } from '../shared/page.ts';
import { showIfThere } from '../shared/recorded.ts';
import { stands } from '../shared/standing.ts';
import { type Running, task } from '../shared/task.ts';
import type { Claim } from './claim.ts';
import { claims, measure, type Recorded } from './claims.ts';
import recordedUrl from './recorded.json?url';
import { domainOf, drawStrip, written } from './strip.ts';
import { meanOf, SEEDS, VERDICTS, type Verdict, verdictOf } from './verdict.ts';
import './page.css';

const { main, backend } = await openPage({
  folder: 'claims',
  explanation:
    'Eleven normalizations, 48 claims about what they do well and badly, each put to the test. Measure, threshold and rule were written ' +
    'down before anything ran; how long networks train was cut afterwards, for time. Whatever is compared gets the same learning ' +
    'rates to choose from. A dot is one seed. What fails is shown as well.',
  attributions: [ATTRIBUTION],
});

let recorded: Recorded = {};
/** Effects that were measured in this page, by claim and condition: of the latest seed. */
const live = new Map<string, Record<string, number>>();

const claimChoice = choice({
  name: 'claim',
  label: 'Claim',
  choices: labelled(
    claims.map(({ id }) => id),
    (id) => {
      const { normalization, text } = claimOf(id);
      return `${shortNames[normalization]}: ${text}`;
    },
  ),
  value: 'batch-1',
});
const seedSlider = slider({ name: 'seed', label: 'Seed', min: 1, max: 20, value: 1 });

function claimOf(id: string): Claim {
  const claim = claims.find((claim) => claim.id === id);
  if (!claim) throw new Error(`no claim '${id}'`);
  return claim;
}

const verdict = (claim: Claim): Verdict => verdictOf(claim, recorded[claim.id]?.effects);
const effectsCell = (claim: Claim) => element('td', { className: 'effects' }, ...effects(claim));

/** A line of dots for each condition. */
function effects(claim: Claim): HTMLElement[] {
  const { id, conditions, threshold, unit } = claim;
  const strips = Object.keys(conditions).map((name) => ({
    name,
    effects: recorded[id]?.effects[name] ?? [],
    live: live.get(id)?.[name],
  }));
  const domain = domainOf(strips, threshold);
  return strips.map((strip) => {
    const { name, effects, live } = strip;
    const numbers =
      effects.length > 0
        ? `mean ${written(meanOf(effects))} ${unit}, from ${written(Math.min(...effects))} to ${written(Math.max(...effects))}`
        : 'not yet recorded';
    return element(
      'div',
      { className: 'condition', 'data-condition': name },
      element('div', {}, name),
      drawStrip(strip, domain, { name, threshold, unit }),
      element('small', {}, numbers + (live === undefined ? '' : `; here ${written(live)}`)),
    );
  });
}

function details({ measure, data, networks, threshold, unit }: Claim): HTMLElement {
  const items = [
    ['Effect', `${measure} (${unit}); at least ${threshold} to count`],
    ['Data', data],
    ['Networks', networks],
  ].map(([term, text]) => element('li', {}, element('strong', {}, `${term}: `), text));
  return element('details', {}, element('summary', {}, 'How'), element('ul', {}, ...items));
}

const buttons: HTMLButtonElement[] = [];

function row(claim: Claim): HTMLTableRowElement {
  const { id, normalization, kind, text, experiment } = claim;
  const { verdict: name, reason } = verdict(claim);
  const button = element(
    'button',
    { type: 'button', 'aria-label': `Run one seed: ${shortNames[normalization]}, ${text}` },
    'Run one seed',
  );
  button.addEventListener('click', () => {
    claimChoice.value = id;
    running.start();
  });
  buttons.push(button);
  return element(
    'tr',
    {
      id,
      'data-verdict': name,
      style: `--accent: ${colors[normalization]}; --accent-text: ${textColor(colors[normalization])}`,
    },
    element(
      'th',
      { scope: 'row' },
      element('span', { className: 'normalization' }, shortNames[normalization]),
      element('span', { className: 'claim' }, text),
      element('small', {}, kind),
    ),
    element('td', { className: 'experiment' }, element('p', {}, experiment), details(claim)),
    effectsCell(claim),
    element(
      'td',
      { className: 'verdict' },
      element(
        'strong',
        {},
        element('span', { className: 'sign', 'aria-hidden': 'true' }, SIGNS[name]),
        ` ${VERDICTS[name]}`,
      ),
      element('small', {}, reason),
      button,
    ),
  );
}

const SIGNS: Readonly<Record<Verdict['verdict'], string>> = {
  holds: '✓',
  'under a condition': '◐',
  refuted: '✗',
  'cannot be shown': '?',
  missing: '–',
};

/** One square for each claim, in rows of normalizations: how the whole looks. */
function overview(): HTMLElement {
  const kinds = [...new Set(claims.map(({ normalization }) => normalization))];
  const size = 26;
  const at = (claim: Claim) => {
    const row = kinds.indexOf(claim.normalization);
    return { row, column: claims.filter((one) => one.normalization === claim.normalization).indexOf(claim) };
  };
  const squares = claims.map((claim) => {
    const { row, column } = at(claim);
    const { verdict: name } = verdict(claim);
    const [x, y] = [130 + column * size, row * size];
    return `<a href="#${claim.id}" aria-label="${shortNames[claim.normalization]}: ${claim.text}: ${VERDICTS[name]}"><rect data-verdict="${name}" x="${x + 2}" y="${y + 2}" width="${size - 4}" height="${size - 4}" rx="4"/><text data-verdict="${name}" x="${x + size / 2}" y="${y + size / 2 + 5}" text-anchor="middle">${SIGNS[name]}</text><title>${claim.text}: ${VERDICTS[name]}</title></a>`;
  });
  const names = kinds.map(
    (kind, row) =>
      `<text x="122" y="${row * size + size / 2 + 5}" text-anchor="end">${shortNames[kind].replace('Renormalization', 'Renorm.')}</text>`,
  );
  const [width, height] = [130 + 5 * size, kinds.length * size];
  const picture = element('div', { className: 'overview' });
  picture.innerHTML = `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">${names.join('')}${squares.join('')}</svg>`;
  const counts = Object.keys(VERDICTS).map((name) => {
    const count = claims.filter((claim) => verdict(claim).verdict === name).length;
    return (
      count > 0 &&
      element(
        'li',
        { 'data-verdict': name },
        `${SIGNS[name as Verdict['verdict']]} ${count} ${VERDICTS[name as Verdict['verdict']]}`,
      )
    );
  });
  return element(
    'figure',
    {},
    element('h3', {}, 'The verdicts'),
    picture,
    element('ul', { className: 'counts' }, ...counts),
  );
}

async function runOne({ frame, progress }: Running): Promise<string> {
  const [claim, seed] = [claimOf(claimChoice.value), seedSlider.value];
  for (const button of buttons) setDisabled(button, true);
  try {
    progress(0, `‘${claim.text}’, seed ${seed} ...`);
    const [train, test] = await Promise.all([loadTrainingDigits(), loadTestDigits()]);
    const found = await measure(claim, { seed, train, test, frame });
    live.set(claim.id, found);
    const cell = document.querySelector(`#${claim.id} .effects`);
    cell?.replaceChildren(...effects(claim));
    const texts = Object.entries(found).map(([name, effect]) => {
      const before = recorded[claim.id]?.effects[name]?.[seed - 1];
      return `${name}: ${written(effect)} ${claim.unit}${before === undefined ? '' : ` (recorded: ${written(before)})`}`;
    });
    return `‘${claim.text}’, seed ${seed} on ${backend}. ${texts.join('; ')}.`;
  } finally {
    for (const button of buttons) setDisabled(button, false);
  }
}

const running = task('Run one seed', runOne, { controls: [claimChoice, seedSlider] });

await showIfThere(async () => {
  const response = await fetch(recordedUrl);
  if (!response.ok) throw new Error(`the recorded effects could not be loaded: ${response.status}`);
  recorded = await response.json();
});
const machines = new Set(Object.values(recorded).map(({ date, machine }) => `${date}, ${machine}`));
running.say([...machines].map((machine) => `Recorded on ${machine}.`).join(' ') || 'Nothing is recorded yet.', {
  recorded: machines.size > 0,
});

const heads = ['Claim', 'Experiment', 'Effect of each seed', 'Verdict'];
main.append(
  lab(running.element, element('div', { className: 'settings' }, claimChoice.element, seedSlider.element), overview()),
  section(
    'All 48 claims',
    element(
      'p',
      {},
      `A dot is a seed, the short line their mean; the long line is 0, the dashed one the threshold. To the right speaks for the claim. ` +
        `With ${SEEDS} seeds and the 95 % interval of the mean: a condition supports the claim where the mean reaches the threshold and the interval lies above 0; ` +
        'it contradicts it where the whole interval lies below the threshold. A claim holds where all conditions support it, under a condition where some do; ' +
        'it is refuted here where all contradict it. All else cannot be shown at this scale. Changed after a first run: times are now medians of 31 calls instead of 15, which scattered ' +
        'too much, and the limits of three claims are stated, those about small batches and ‘Stabilizes GAN training’. ',
      element('code', {}, 'npm run claims'),
      ' records all of it anew.',
    ),
    element(
      'table',
      { className: 'claims' },
      element('thead', {}, element('tr', {}, ...heads.map((text) => element('th', { scope: 'col' }, text)))),
      element('tbody', {}, ...claims.map(row)),
    ),
  ),
);
// The row that the address names was not there when the browser looked for it.
document.getElementById(location.hash.slice(1))?.scrollIntoView();
expose({
  claims: () => claims.map((claim) => ({ ...claim, conditions: Object.keys(claim.conditions), ...verdict(claim) })),
  recorded: () => recorded,
  live: () => Object.fromEntries(live),
});
await stands(main);
