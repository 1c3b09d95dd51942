/**
 * What a normalization is, as one moving picture: the cube of examples, channels and positions, and which small cubes share a mean and
 * a deviation. It goes through the four ways by itself until the reader touches it.
 */
import { batch, cellsOf, group, instance, type Key, layer } from './averages/cells.ts';
import { cube } from './averages/cube.ts';
import { given, keep, refuse, register } from './shared/address.ts';
import { colors, type Named, shortNames } from './shared/colors.ts';
import { element } from './shared/dom.ts';

const SIZES = { examples: 4, rows: 6, columns: 1, channels: 6 };
const GROUP = 3;
/** Milliseconds from one place of the tour to the next. */
const PACE = 1600;

interface Way {
  readonly key: Key;
  readonly text: string;
}

const ways = {
  BatchNormalization: {
    key: batch,
    text: 'one mean for each channel, over all examples and positions. Examples look at each other.',
  },
  LayerNormalization: {
    key: layer,
    text: 'one mean for each example, over all its channels and positions. The batch does not matter.',
  },
  InstanceNormalization: {
    key: instance,
    text: 'one mean for each channel of each example. Contrast and colour of a picture go.',
  },
  GroupNormalization: {
    key: group(GROUP),
    text: 'one mean for each group of channels of each example: between Layer and Instance.',
  },
} as const satisfies Partial<Record<Named, Way>>;
type Name = keyof typeof ways;
const names = Object.keys(ways) as Name[];

/** The places of the tour: three of each way, each in another group. */
const PLACES = [
  { example: 0, row: 2, column: 0, channel: 1 },
  { example: 1, row: 2, column: 0, channel: 3 },
  { example: 2, row: 2, column: 0, channel: 5 },
];

export function tour(): HTMLElement {
  const wanted = given('norm');
  const known = names.some((name) => name === wanted);
  if (wanted !== null && !known) refuse('norm', `a tab is one of ${names.join(', ')}`, names[0]);
  let name: Name = known ? (wanted as Name) : names[0];
  let chosen = PLACES[0];
  register('norm', () => name);

  const picture = cube({ small: true });
  const text = element('p', { className: 'way', 'aria-live': 'polite' });
  const tabs = names.map((name) =>
    element(
      'button',
      { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': 'way', style: `--accent: ${colors[name]}` },
      shortNames[name],
    ),
  );
  const pauseButton = element('button', { type: 'button', className: 'pause' }, 'Stop the tour');

  function draw(): void {
    const { key, text: words } = ways[name];
    const own = key(chosen);
    const lit = Float32Array.from(cellsOf(SIZES), (cell) => Number(key(cell) === own));
    whole.style.setProperty('--accent', colors[name]);
    picture.draw(SIZES, lit, chosen);
    text.replaceChildren(element('strong', {}, shortNames[name]), `: ${words}`);
    for (const [i, tab] of tabs.entries()) {
      tab.ariaSelected = String(names[i] === name);
      tab.tabIndex = names[i] === name ? 0 : -1;
    }
    panel.setAttribute('aria-labelledby', `tab-${name}`);
  }

  let step = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  function stop(): void {
    clearInterval(timer);
    timer = undefined;
    text.ariaLive = 'polite';
    pauseButton.textContent = 'Start the tour';
  }
  function start(): void {
    text.ariaLive = 'off'; // a tour that talks by itself is a nuisance
    pauseButton.textContent = 'Stop the tour';
    timer = setInterval(() => {
      step = (step + 1) % (names.length * PLACES.length);
      name = names[Math.floor(step / PLACES.length)];
      chosen = PLACES[step % PLACES.length];
      draw();
    }, PACE);
  }
  pauseButton.addEventListener('click', () => (timer === undefined ? start() : stop()));

  function choose(next: Name): void {
    stop();
    name = next;
    keep('norm');
    draw();
  }
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener('click', () => choose(names[i]));
    tab.addEventListener('keydown', ({ key }) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!by) return;
      const next = (i + by + names.length) % names.length;
      choose(names[next]);
      tabs[next].focus();
    });
  }
  picture.onChoose((cell) => {
    stop();
    chosen = cell;
    draw();
  });

  const panel = element(
    'div',
    { id: 'way', role: 'tabpanel', className: 'tour-panel' },
    picture.element as unknown as HTMLElement,
    text,
  );
  const whole = element(
    'div',
    { className: 'tour' },
    element(
      'div',
      { className: 'tabs' },
      element('div', { role: 'tablist', 'aria-label': 'Normalizations' }, ...tabs),
      pauseButton,
    ),
    panel,
  );
  draw();
  if (known || matchMedia('(prefers-reduced-motion: reduce)').matches) stop();
  else start();
  return whole;
}
