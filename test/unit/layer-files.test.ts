/**
 * The shape of layers/: a layer is one short file, and whatever else a new layer needs is a line that
 * these tests name, together with the file that it belongs to.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import ts from 'typescript';
import * as pack from '../../layers/index.ts';
import { examplesIn } from '../support/examples.ts';
import { askFor } from '../support/missing-lines.ts';
import { PACKAGE, ROOT } from '../support/user.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const filesIn = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file}`);
const nameOf = (file: string) => file.replace(/^.*\/|\.ts$/g, '');

/** The files of this folder that hold layers. */
const LAYER_FILES = filesIn('layers').filter((file) => /^registerLayer\(/m.test(read(file)));

/** The layer of the README, which is to be as short and as complete as those that are here. */
const EXAMPLE = examplesIn(read('layers/README.md')).find(({ language }) => language === 'ts')!.code;

const parsed = (code: string) => ts.createSourceFile('layer.ts', code, ts.ScriptTarget.Latest, true);

/** The lines that hold code: imports and all else but blank lines, comments and docstrings. */
function linesOfCode(code: string): number {
  const source = parsed(code);
  const lines = new Set<number>();
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(source);
    for (const child of children) visit(child);
    if (children.length > 0 || node.getWidth(source) === 0) return;
    for (let line = lineAt(node.getStart(source)); line <= lineAt(node.getEnd()); line++) lines.add(line);
  };
  visit(source);
  return lines.size;
}

describe('the length of a layer', () => {
  const MOST = 60;
  /** What may be longer, and why; a limit that is far away guards nothing. */
  const LONGER: Readonly<Record<string, readonly [most: number, why: string]>> = {
    'multi-head-attention': [290, 'twenty options of Keras and ours, four projections, and axes that attend or do not'],
    'query-key-attention': [65, 'three or four inputs with their shapes and masks'],
    'spectral-normalization': [115, 'a wrapper of two forms, with singular vectors of each kernel'],
    'weight-normalization': [70, 'a wrapper whose lengths start by the kernel or by the first batch'],
  };

  test.each(LAYER_FILES)('%s', (file) => {
    const [most] = LONGER[nameOf(file)] ?? [MOST];
    expect(linesOfCode(read(file))).toBeLessThanOrEqual(most);
  });

  test('the example of the README', () => expect(linesOfCode(EXAMPLE)).toBeLessThanOrEqual(MOST));

  test.each(Object.entries(LONGER))('%s needs more', (name, [most]) => {
    const lines = linesOfCode(read(`layers/${name}.ts`));
    expect(lines).toBeGreaterThan(MOST);
    expect(lines).toBeGreaterThan(0.9 * most);
  });

  test('is counted without comments and blank lines', () => {
    expect(linesOfCode('/** Doc. */\nconst a = 1;\n\n// Why.\nconst b = `\n2\n`; /* c\n */\n')).toBe(4);
  });
});

describe('the lines that a layer needs elsewhere', () => {
  type LayerClass = (new (options?: object) => tf.layers.Layer) & { readonly className: string };

  /** Layers whose exports and entry are those of another. */
  const WITHIN: Readonly<Record<string, string>> = {
    'gru-cell': 'gru',
    'query-key-attention': 'query-key-normalization',
  };
  /** Base classes whose layers have a row in the table of layers: others have tests of their own. */
  const IN_TABLE = ['Normalization'];

  const lower = (className: string) =>
    className.replace(/^[A-Z]+(?=[A-Z][a-z]|$)|^[A-Z]/, (start) => start.toLowerCase());

  /** The last part of a weight's name. */
  const lastPart = ({ originalName }: { originalName: string }) => originalName.split('/').at(-1)!;

  /** The row of a layer in test/support/layer-table.ts, but for what only its author knows. */
  function tableRow(className: string, Layer: LayerClass): string {
    const { name: _, trainable: __, ...config } = new Layer().getConfig();
    const layer = new Layer({ center: true });
    layer.build([null, 32]);
    const trained = layer.trainableWeights.map(lastPart);
    const scale = config.scale ? trained[0] : undefined;
    const isList = (() => {
      try {
        return Boolean(new Layer({ axis: [1, 2] }));
      } catch {
        return false;
      }
    })();
    const entries = Object.entries(config);
    const initializers = entries.filter(([key]) => key.endsWith('Initializer'));
    const row = {
      defaults: Object.fromEntries(entries.filter(([key]) => !/(Initializer|Regularizer|Constraint)$/.test(key))),
      ...(scale ? { scale } : {}),
      ...(trained.includes('beta') ? { center: 'beta' } : {}),
      parameters: trained.filter((name) => name !== scale && name !== 'beta'),
      state: layer.nonTrainableWeights.map(lastPart),
      initializers: Object.fromEntries(
        initializers.map(([key, value]) => [key, (value as tf.serialization.ConfigDict).className]),
      ),
      listAxis: isList,
    };
    return `${className}: { ...${JSON.stringify(row)}, together: perRow, formulaAt: () => direct({ together: perRow }) },`;
  }

  /** The entry of a layer in layers/catalog.ts, by its docstring. */
  function catalogEntry(className: string, docstring: string): string {
    const list = (name: string) => JSON.stringify(new RegExp(`${name}: (.*?)\\.`).exec(docstring)?.[1]?.split('; '));
    const formula = /^ {4}\S.*? = (.*)$/m.exec(docstring)?.[1] ?? '';
    const use = /Best for (.*?)\./.exec(docstring)?.[1];
    const [, authors, title, year, id] =
      /@see (.*?): (.*?)\. (\d+),\s+https:\/\/arxiv\.org\/abs\/([\d.]+)/.exec(docstring) ?? [];
    return (
      `{ className: '${className}', axis: '...', formula: '${formula}', advantages: ${list('Advantages')}, disadvantages: ` +
      `${list('Disadvantages')}, use: '${use}', paper: arxiv('${authors}', '${title}', ${year}, '${id}') },`
    );
  }

  /** What the repository does not have for a layer: [file: line]. */
  function missing(file: string, code: string, exported: Readonly<Record<string, unknown>>): string[] {
    const name = nameOf(file);
    const [, className, base] = /^export class (\w+) extends (\w+)/m.exec(code)!;
    const docstring = code.slice(0, code.indexOf('export class')).replace(/^ \* ?/gm, '');
    const flat = docstring.replace(/\n(?! {4}|\n)/g, ' ');
    const Layer = exported[className!] as LayerClass;
    const factory = lower(className!);
    const lines: (readonly [path: string, isThere: boolean, line: () => string])[] = [];
    const ask = (path: string, has: RegExp, line: () => string) => lines.push([path, has.test(read(path)), line]);
    if (!(name in WITHIN)) {
      const entry = `"./layers/${name}": "./dist/layers/${name}.js",`;
      ask(
        'layers/exports.ts',
        new RegExp(`^export \\* from './${name}\\.ts';$`, 'm'),
        () => `export * from './${name}.ts';`,
      );
      lines.push(['package.json', `./layers/${name}` in PACKAGE.exports, () => entry]);
    }
    lines.push([file, factory in exported, () => `export const ${factory} = (args?) => new ${className}(args);`]);
    const key = new RegExp(`^  '?${className}\\b`, 'm');
    const saved = Layer.className;
    ask('layers/files/keras/classes.ts', new RegExp(`^  ${saved}\\b`, 'm'), () => `${saved}: ours,`);
    const half = `${className}: { layer: () => ours.${factory}(), ...matrix },`;
    ask('test/support/half-subjects.ts', key, () => half);
    if (IN_TABLE.includes(base!)) {
      ask('test/support/layer-table.ts', key, () => tableRow(className!, Layer));
      const subject = `subject('${className}', [4, 7]),`;
      ask('test/support/layer-table.ts', new RegExp(`^  subject\\('${className}'`, 'm'), () => subject);
    }
    if (/^Advantages: /m.test(docstring)) {
      ask('layers/catalog.ts', new RegExp(`className: '${className}'`), () => catalogEntry(className!, flat));
    }
    return lines.filter(([, isThere]) => !isThere).map(([path, , line]) => `${path}: ${line()}`);
  }

  test.each(LAYER_FILES)('%s has them all', (file) => askFor(missing(file, read(file), pack)));

  test('the example of the README is told each of them', async () => {
    await tf.setBackend('cpu');
    const code = EXAMPLE.replaceAll('FixN', 'NewN').replaceAll('fixN', 'newN'); // also where somebody has pasted the example
    const { outputText } = ts.transpileModule(code, {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
    });
    const module: Record<string, unknown> = {};
    const load = (path: string) => {
      if (!path.startsWith('.')) return require(path);
      return require(join(ROOT, 'layers', path));
    };
    new Function('require', 'exports', outputText)(load, module);
    const advertised = code.replace(
      ' * @example',
      ' * Advantages: a; b. Disadvantages: c. Best for d.\n *\n * @example',
    );
    expect(missing('layers/new-normalization.ts', advertised, module)).toEqual([
      "layers/exports.ts: export * from './new-normalization.ts';",
      'package.json: "./layers/new-normalization": "./dist/layers/new-normalization.js",',
      'layers/files/keras/classes.ts: NewNormalization: ours,',
      'test/support/half-subjects.ts: NewNormalization: { layer: () => ours.newNormalization(), ...matrix },',
      expect.stringContaining(
        'test/support/layer-table.ts: NewNormalization: { ...{"defaults":{"axis":-1,"center":true,"epsilon":0.00001,"radius":5},' +
          '"center":"beta","parameters":[],"state":[],"initializers":{"betaInitializer":"Zeros"},',
      ),
      "test/support/layer-table.ts: subject('NewNormalization', [4, 7]),",
      "layers/catalog.ts: { className: 'NewNormalization', axis: '...', formula: 'r x / max(||x||, epsilon) + beta', advantages: " +
        '["a","b"], disadvantages: ["c"], use: \'d\', paper: arxiv(\'Nguyen, Chiang\', \'Improving Lexical Choice\', 2017, ' +
        "'1710.01329') },",
    ]);
  });
});
