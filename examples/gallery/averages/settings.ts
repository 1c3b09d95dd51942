/** What the reader sets: the normalization, what only some normalizations have, and the batch. */
import { shortNames } from '../shared/colors.ts';
import { choice, labelled, slider } from '../shared/controls.ts';
import { CHANNELS, MOST_EXAMPLES } from './activations.ts';
import { type Name, normalizations, type Settings } from './normalizations.ts';
import type { Wish } from './result.ts';

const names = Object.keys(normalizations) as Name[];
const normChoice = choice({
  name: 'norm',
  label: 'Normalization',
  choices: labelled(names, (name) => shortNames[name]),
  value: 'GroupNormalization',
});
const kindChoice = choice({
  name: 'images',
  label: 'Images',
  choices: { photos: 'photographs', digits: 'handwritten digits' },
  value: 'photos',
});
const countSlider = slider({ name: 'examples', label: 'Examples in the batch', min: 1, max: MOST_EXAMPLES, value: 4 });
const lightSlider = slider({
  name: 'light',
  label: 'Light of the first example',
  min: 0.1,
  max: 1,
  step: 0.05,
  value: 0.4,
  format: (light) => `${Math.round(100 * light)} %`,
});
const GROUPS = [1, 2, 3, 6];
const groupsSlider = slider({
  name: 'groups',
  label: 'Groups',
  min: 0,
  max: GROUPS.length - 1,
  value: 1,
  format: (at) => String(GROUPS[at]),
});
const overChoice = choice({
  name: 'over',
  label: 'Taken together',
  choices: { example: 'the whole example: axis [1, 2, 3]', position: 'the channels of a position: axis -1' },
  value: 'example',
});
const rhoSlider = slider({
  name: 'rho',
  label: 'ρ, from instance to batch',
  min: 0,
  max: 1,
  step: 0.05,
  value: 0.5,
  format: (rho) => rho.toFixed(2),
});
const partSlider = (name: string) =>
  slider({ name, label: `Part of the ${name}’s statistics`, min: 0, max: 10, value: 3 });
const partSliders = [partSlider('instance'), partSlider('layer'), partSlider('batch')];
const ofSome = [groupsSlider, overChoice, rhoSlider, ...partSliders];
export const controls = [normChoice, ...ofSome, kindChoice, countSlider, lightSlider];

/** As it is set now. */
export const wish = (): Wish => ({
  name: normChoice.value,
  settings: readSettings(),
  kind: kindChoice.value,
  count: countSlider.value,
  light: lightSlider.value,
});

function readSettings(): Settings {
  const parts = partSliders.map(({ value }) => value);
  const total = parts.reduce((sum, part) => sum + part, 0);
  // All sliders at 0 means the same as all at 1.
  const [instance, layer, batch] = parts.map((part) => (total > 0 ? part / total : 1 / parts.length));
  return {
    channels: CHANNELS,
    groups: GROUPS[groupsSlider.value],
    over: overChoice.value,
    rho: rhoSlider.value,
    shares: [instance, layer, batch],
  };
}

const own: Partial<Record<Name, readonly { readonly element: HTMLElement }[]>> = {
  GroupNormalization: [groupsSlider],
  LayerNormalization: [overChoice],
  RMSNormalization: [overChoice],
  BatchInstanceNormalization: [rhoSlider],
  SwitchableNormalization: partSliders,
};
function showOwn(): void {
  for (const { element } of ofSome) element.hidden = true;
  for (const { element } of own[normChoice.value] ?? []) element.hidden = false;
}
normChoice.onChange(showOwn);
showOwn();
