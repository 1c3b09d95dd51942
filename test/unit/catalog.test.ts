/** The tables of the README and of the guide to choosing, and the docstrings say what the catalog says. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import {
  batches,
  type CatalogEntry,
  catalog,
  data,
  networks,
  places,
  recommend,
  type Situation,
} from '../../layers/catalog.ts';
import * as pack from '../../layers/index.ts';

const root = new URL('../..', `file://${__dirname}/`);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

/** The row of the README's table. */
function row({ className, axis, formula, advantages, disadvantages, use, paper }: CatalogEntry): string {
  const cells = [
    `\`${className}\``,
    axis,
    formula,
    advantages.join('; '),
    disadvantages.join('; '),
    use,
    `[${paper.authors} ${paper.year}](${paper.url})`,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The paragraph of the class's docstring. */
function paragraph({ advantages, disadvantages, use }: CatalogEntry): string {
  return `Advantages: ${advantages.join('; ')}. Disadvantages: ${disadvantages.join('; ')}. Best for ${use}.`;
}

const docstrings = readdirSync(new URL('layers/', root))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => read(`layers/${file}`))

  .join('\n')
  .replace(/\s*\n \* ?/g, ' ');

describe.each(catalog.map((entry) => [entry.className, entry] as const))('%s', (className, entry) => {
  test('is a layer of the package', () => {
    const layer = (pack as Record<string, unknown>)[className] as { className: string };
    expect(layer.className).toBe(className);
  });

  test('has its row in the README', () => {
    expect(read('README.md').split('\n')).toContain(row(entry));
  });

  test('has its paragraph in the docstring, and cites the same paper', () => {
    expect(docstrings).toContain(paragraph(entry));
    expect(docstrings).toContain(entry.paper.url);
  });
});

/** Every situation that one can be in. */
const situations = Object.keys(networks).flatMap((network) =>
  Object.keys(data).flatMap((kind) =>
    Object.keys(batches).flatMap((batch) =>
      Object.keys(places).map((runs) => ({ network, data: kind, batch, runs }) as Situation),
    ),
  ),
);

describe('recommend', () => {
  test('knows an answer to everything; each of the first twelve is one, and none is unknown', () => {
    const classes = new Set(
      situations.flatMap((situation) => {
        const { className, also } = recommend(situation);
        return [className, ...(also ? [also] : [])];
      }),
    );
    const known = catalog.map(({ className }) => className);
    expect([...classes].filter((name) => !known.includes(name))).toEqual([]);
    expect(known.slice(0, 12).filter((name) => !classes.has(name))).toEqual([]);
  });

  test.each([
    [undefined, /network must be one of convolutional/],
    [{ network: 'mlp', data: 'usual', batch: 'large', runs: 'here' }, /network must be .* received "mlp"/],
    [
      { network: 'dense', data: 'usual', batch: 32, runs: 'here' },
      /batch must be one of one, small, large; received 32/,
    ],
    [{ network: 'dense', data: 'usual', batch: ['one'], runs: 'here' }, /batch must be one of .* received \["one"\]/],
  ])('refuses what it does not know: %j', (situation, message) => {
    expect(() => recommend(situation as unknown as Situation)).toThrow(message);
  });

  const [BN, LN, GN] = ['BatchNormalization', 'LayerNormalization', 'GroupNormalization'];
  const [WN, renorm] = ['WeightNormalization', 'BatchRenormalization'];
  test.each([
    ['convolutional', 'here', { usual: [GN, GN, BN], stream: [GN, renorm, renorm] }],
    ['convolutional', 'here', { styles: [GN, 'SwitchableNormalization', 'BatchInstanceNormalization'] }],
    ['convolutional', 'keras', { usual: [GN, GN, BN], stream: [GN, GN, GN], styles: [GN, GN, GN] }],
    ['dense', 'here', { usual: [LN, LN, BN], stream: [LN, renorm, renorm], styles: [LN, LN, LN] }],
    ['dense', 'keras', { usual: [LN, LN, BN], stream: [LN, LN, LN], styles: [LN, LN, LN] }],
    [
      'reinforcement',
      'here',
      { usual: [WN, WN, 'MeanOnlyBatchNormalization'], stream: [WN, WN, WN], styles: [WN, WN, WN] },
    ],
    ['reinforcement', 'keras', { usual: [LN, LN, LN], stream: [LN, LN, LN], styles: [LN, LN, LN] }],
    ['transformer', 'here', { usual: new Array(3).fill('RMSNormalization') }],
    ['transformer', 'keras', { usual: [LN, LN, LN] }],
  ] as const)('%s, %s: for one, small and large batches of each kind of data', (network, runs, answers) => {
    for (const [kind, classes] of Object.entries(answers)) {
      const named = Object.keys(batches).map(
        (batch) => recommend({ network, data: kind, batch, runs } as Situation).className,
      );
      expect([kind, named]).toEqual([kind, classes]);
    }
  });

  test("the critic has Keras's form where Keras runs it, and there alone", () => {
    const codeFor = (runs: 'here' | 'keras') =>
      recommend({ network: 'critic', data: 'usual', batch: 'large', runs }).code;
    expect(codeFor('keras')).toContain('reparameterize: false');
    expect(codeFor('here')).not.toContain('reparameterize');
  });

  test('gives code that the package runs, and for Keras only what Keras has', () => {
    const kerasOwn = [
      'BatchNormalization',
      'LayerNormalization',
      'GroupNormalization',
      'RMSNormalization',
      'SpectralNormalization',
    ];
    for (const situation of situations) {
      const { className, code } = recommend(situation);
      const factories = Object.keys(pack).filter((name) => /^[a-z]\w*ormalization$/.test(name));
      const make = new Function('tf', ...factories, `return [${code}];`);
      const layers = make(tf, ...factories.map((name) => (pack as Record<string, unknown>)[name])) as object[];
      const names = layers.map((layer) => (layer as tf.layers.Layer).getClassName());
      expect(names.length).toBeGreaterThan(0);
      if (situation.runs === 'here') expect(names).toContain(className);
      else for (const name of names) expect(kerasOwn).toContain(name);
    }
  });

  test.each([
    ['convolutional', 'usual', 'large'],
    ['convolutional', 'usual', 'small'],
    ['convolutional', 'styles', 'large'],
    ['convolutional', 'styles', 'small'],
    ['convolutional', 'stream', 'small'],
    ['transformer', 'usual', 'large'],
    ['recurrent', 'usual', 'large'],
    ['generator', 'usual', 'one'],
    ['critic', 'usual', 'large'],
    ['reinforcement', 'stream', 'small'],
  ] as const)('%s, %s, %s: the guide says the same', (network, kind, batch) => {
    const { className, why, also } = recommend({ network, data: kind, batch, runs: 'here' });
    const cells = [networks[network], data[kind], batches[batch], `\`${className}\``, why, also ? `\`${also}\`` : ''];
    expect(read('examples/guides/choosing.md').split('\n')).toContain(`| ${cells.join(' | ')} |`);
  });
});
