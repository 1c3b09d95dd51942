/** What the reader sets: the normalization, what only some normalizations have, and the batch. */
import { shortNames } from '../shared/colors.ts';
import { choice, folded, labelled, settings, slider } from '../shared/controls.ts';
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
const groupsChoice = choice({ name: 'groups', label: 'Groups', choices: ['1', '2', '3', '6'], value: '2' });
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
const parameterSlider = (name: string, label: string, value: number) =>
  slider({ name, label, min: -2, max: 3, step: 0.1, value, format: (value) => value.toFixed(1) });
const gammaSlider = parameterSlider('gamma', 'γ of all channels', 1);
const betaSlider = parameterSlider('beta', 'β of all channels', 0);
const ofSome = [groupsChoice, overChoice, rhoSlider, ...partSliders];
export const controls = [normChoice, ...ofSome, kindChoice, countSlider, lightSlider, gammaSlider, betaSlider];
export const panel = settings(
  normChoice,
  ...ofSome,
  lightSlider,
  folded(kindChoice, countSlider, gammaSlider, betaSlider),
);

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
    groups: Number(groupsChoice.value),
    over: overChoice.value,
    rho: rhoSlider.value,
    shares: [instance, layer, batch],
    gamma: gammaSlider.value,
    beta: betaSlider.value,
  };
}

const own: Partial<Record<Name, readonly { readonly element: HTMLElement }[]>> = {
  GroupNormalization: [groupsChoice],
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
