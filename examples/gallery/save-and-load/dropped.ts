/** A model file of the reader's, dropped on the page: its normalizations, and the same model in other formats. */
import type * as tf from '@tensorflow/tfjs';
import { colors, type Named, shortNames } from '../shared/colors.ts';
import { setDisabled } from '../shared/disabled.ts';
import { element, table, tableRow } from '../shared/dom.ts';
import { showMemory } from '../shared/memory.ts';

/** Files, or an error that says which are missing. */
async function load(files: readonly File[]): Promise<tf.LayersModel> {
  const [first] = files;
  const json = files.find(({ name }) => name.endsWith('.json'));
  // The readers of these files are large: only who drops one loads them.
  const { loadModel } = await import('tfjs-normalizations/files');
  if (!json) {
    if (files.length > 1)
      throw new Error('Drop one file of Keras (.keras, .h5), or a model.json together with its weight files.');
    return loadModel(first);
  }
  const weights = files.filter((file) => file !== json);
  if (weights.length === 0) throw new Error(`Drop ${json.name} together with the weight files (.bin) that it names.`);
  const { io } = await import('@tensorflow/tfjs');
  return loadModel(io.browserFiles([json, ...weights]));
}

/** Layers of this package, wrapped ones and those of models within models too. */
function normalizationsOf(model: tf.LayersModel): tf.layers.Layer[] {
  return model.layers.flatMap((layer) => {
    if (layer.getClassName() in colors) return [layer];
    return 'layers' in layer ? normalizationsOf(layer as unknown as tf.LayersModel) : [];
  });
}

/** What of its configuration says how it normalizes. */
function optionsOf(layer: tf.layers.Layer): string {
  const { name: _, trainable: __, dtype: ___, ...config } = layer.getConfig();
  const simple = Object.entries(config).filter(
    ([, value]) => ['number', 'boolean'].includes(typeof value) || Array.isArray(value),
  );
  return simple.map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(', ');
}

export function droppedFile(): HTMLElement {
  const line = element('output', { 'aria-live': 'polite' });
  const found = element('div', {
    className: 'table',
    tabIndex: 0,
    role: 'region',
    'aria-label': 'Normalizations of the file',
  });
  const input = element('input', {
    type: 'file',
    name: 'model-files',
    multiple: true,
    accept: '.keras,.h5,.hdf5,.json,.bin',
  });
  let model: tf.LayersModel | undefined;
  let name = 'model';

  const saving: readonly (readonly [string, (model: tf.LayersModel) => Promise<unknown>])[] = [
    [
      'Save as .keras',
      async (model) => (await import('tfjs-normalizations/files')).saveKeras(model, `downloads://${name}.keras`),
    ],
    ['Save as model.json', (model) => model.save(`downloads://${name}`)],
    [
      'Save as safetensors',
      async (model) =>
        (await import('tfjs-normalizations/files')).saveSafetensors(model, `downloads://${name}.safetensors`, {
          mode: 'plain',
        }),
    ],
  ];
  const buttons = saving.map(([label, save]) => {
    const button = element('button', { type: 'button' }, label);
    setDisabled(button, true);
    button.addEventListener('click', () =>
      attempt(async () => {
        await save(model as tf.LayersModel);
        return `${label.replace('Save as', 'Saved as')}: look into your downloads.`;
      }),
    );
    return button;
  });

  async function attempt(work: () => Promise<string>): Promise<void> {
    line.dataset.state = 'running';
    try {
      line.textContent = await work();
      line.dataset.state = 'done';
    } catch (error) {
      line.textContent = error instanceof Error ? error.message : String(error);
      line.dataset.state = 'failed';
    }
    showMemory();
  }

  async function open(files: readonly File[]): Promise<string> {
    line.textContent = 'Reading …';
    const next = await load(files);
    model?.dispose();
    model = next;
    name = files[0].name.replace(/\.\w+$/, '');
    for (const button of buttons) setDisabled(button, false);
    const own = normalizationsOf(model);
    const row = (layer: tf.layers.Layer) => {
      const kind = layer.getClassName() as Named;
      const title = element('span', { className: 'kind', style: `--color: ${colors[kind]}` }, shortNames[kind]);
      return tableRow(title, [
        layer.name,
        String(layer.countParams()),
        element('td', { className: 'options' }, optionsOf(layer)),
      ]);
    };
    found.replaceChildren(table(['Normalization', 'name', 'parameters', 'options'], own.map(row)));
    const count = own.length === 1 ? 'one normalization' : `${own.length || 'no'} normalizations`;
    return `${files.map(({ name }) => name).join(', ')}: ${model.layers.length} layers, ${model.countParams().toLocaleString('en')} parameters, ${count}.`;
  }

  input.addEventListener('change', () => {
    const files = Array.from(input.files ?? []);
    input.value = ''; // the same files can be chosen again
    if (files.length > 0) void attempt(() => open(files));
  });
  const place = element(
    'label',
    { className: 'drop' },
    element('strong', {}, 'Drop a model here'),
    ' a .keras or .h5 file of Keras, or a model.json with its weight files ',
    input,
  );
  // Anywhere on the page: a file that misses the field would replace the page.
  addEventListener('dragover', (event) => {
    event.preventDefault();
    place.classList.add('over');
  });
  addEventListener('dragleave', () => place.classList.remove('over'));
  addEventListener('drop', (event) => {
    event.preventDefault();
    place.classList.remove('over');
    const files = Array.from(event.dataTransfer?.files ?? []);
    if (files.length > 0) void attempt(() => open(files));
  });
  return element(
    'div',
    { className: 'dropped' },
    place,
    line,
    found,
    element('div', { className: 'buttons' }, ...buttons),
  );
}
