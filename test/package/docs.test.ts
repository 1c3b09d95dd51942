/** The API reference is complete, the documentation's code does what it says, and what it names is there. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as tf from '@tensorflow/tfjs';
import ts from 'typescript';
import * as pack from '../../layers/index.ts';
import * as surgery from '../../layers/models/surgery/index.ts';
import { examplesIn, type Outcome, runExamples } from '../support/examples.ts';
import { NAME, PACKAGE, ROOT } from '../support/user.ts';

/** The benchmark is JavaScript without types. */
const { summaries, withSummary } = require('../../examples/benchmark/summary.js') as {
  readonly summaries: Readonly<Record<string, (results: unknown) => string>>;
  withSummary(markdown: string, summary: string): string;
};

const GUIDES = readdirSync(join(ROOT, 'examples/guides'))
  .filter((file) => file.endsWith('.md'))
  .map((file) => `examples/guides/${file}`);
const TEXTS = ['README.md', 'layers/README.md', 'kernels/README.md', ...GUIDES];
/** The rest of the documentation: it has no programs in JavaScript. */
const MORE = ['examples/keras/README.md', 'examples/benchmark/RESULTS.md', 'CHANGELOG.md'];
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const folderOf = (path: string) => path.replace(/\/?[^/]+$/, '') || '.';

describe('the texts', () => {
  const examples = TEXTS.flatMap((path) =>
    examplesIn(read(path), folderOf(path)).map((example) => ({ path, example })),
  );
  let outcomes: Outcome[];
  beforeAll(async () => {
    outcomes = await runExamples(examples.map(({ example }) => example));
  });

  test.each(examples.map(({ path }, i) => [i, path] as const))('code block %d, of %s, does what it says', (i) => {
    expect(outcomes[i]!.error).toBeUndefined();
  });

  test('their TypeScript has the types of the folder that it is for', () => {
    const blocks = examples.filter(({ example }) => example.language === 'ts');
    const files = new Map(
      blocks.map(({ example }, i) => [join(ROOT, example.folder, `example-${i}.ts`), example.code]),
    );
    const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
    const host = ts.createCompilerHost({ ...options, noEmit: true });
    const { readFile, fileExists, getSourceFile } = host;
    host.fileExists = (path) => files.has(path) || fileExists(path);
    host.readFile = (path) => files.get(path) ?? readFile(path);
    host.getSourceFile = (path, version, ...rest) => {
      const code = files.get(path);
      return code === undefined ? getSourceFile(path, version, ...rest) : ts.createSourceFile(path, code, version);
    };
    const program = ts.createProgram([...files.keys()], { ...options, noEmit: true }, host);
    const wrong = [...files.keys()].flatMap((path) => ts.getPreEmitDiagnostics(program, program.getSourceFile(path)));
    expect(blocks.length).toBeGreaterThan(1);
    expect(wrong.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))).toEqual([]);
  });

  test('the calls in the tables run', async () => {
    const all = TEXTS.map(read).join('\n');
    const calls = [...all.matchAll(/`([a-z]\w+Normalization\([^`]*\))`/g)].map(([, call]) => call!);
    const given = 'const [G, mean, variance, layer, options] = [2, [0], [1], tf.layers.dense({units: 1}), {}];';
    const blocks = calls.map((call) => ({ language: 'js', folder: '.', code: `${given}\n${call};\n` }) as const);
    expect(calls.length).toBeGreaterThan(12);
    for (const [i, { error }] of (await runExamples(blocks)).entries())
      expect([calls[i], error]).toEqual([calls[i], undefined]);
  });

  test('the table of epsilon and momentum has the defaults', () => {
    const rows = [...read('examples/guides/migration.md').matchAll(/^\| here: (.+?) \| ([\d.e-]+)[^|]*\| ([\d.]*)/gm)];
    const classes = Object.values(pack).filter((value) => typeof value === 'function' && 'className' in value);
    const checked = rows.flatMap(([, names, epsilon, momentum]) =>
      names!.split(', ').map((name) => {
        const plain = name.replace('-', '');
        const names = [`${plain}Normalization`, `${plain}BatchNormalization`, `Batch${plain}`];
        const [layer] = classes.filter(({ className }) => names.includes(className));
        expect([name, layer]).toEqual([name, expect.any(Function)]);
        const { axis, ...config } = new (layer as typeof pack.BatchNormalization)().getConfig();
        expect([name, axis]).toEqual([name, -1]);
        if ('epsilon' in config) expect([name, config.epsilon]).toEqual([name, Number(epsilon)]);
        if ('momentum' in config) expect([name, config.momentum]).toEqual([name, Number(momentum)]);
        return name;
      }),
    );
    expect(checked.length).toBe(9);
  });

  test.each(TEXTS)('%s has code', (path) => {
    expect(examples.filter((example) => example.path === path)).not.toEqual([]);
  });

  test.each([...TEXTS, ...MORE])('%s names files and scripts that are there', (path) => {
    const text = read(path);
    const code = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => join(folderOf(path), link!));
    const files = code.filter((one) => /^(layers|kernels|test|examples)\/[\w./-]+$/.test(one));
    for (const file of [...links, ...files]) expect([file, existsSync(join(ROOT, file))]).toEqual([file, true]);
    for (const [, script] of text.matchAll(/npm run ([\w:]+)/g)) expect(Object.keys(PACKAGE.scripts)).toContain(script);
    for (const [, entry] of text.matchAll(
      new RegExp(`${NAME}(/(?:layers|kernels|files|surgery)(?:/[\\w-]+)?)\\b`, 'g'),
    )) {
      expect(Object.keys(PACKAGE.exports)).toContain(`.${entry}`);
    }
  });

  test('the README is short, and leads to every guide', () => {
    const readme = read('README.md');
    expect(readme.split('\n').length).toBeLessThan(250);
    expect(GUIDES.filter((guide) => !readme.includes(`](${guide})`))).toEqual([]);
  });

  test('the documentation has every text', () => {
    const { projectDocuments } = PACKAGE.typedocOptions as { projectDocuments: string[] };
    expect([...projectDocuments].sort()).toEqual([...TEXTS.slice(1), ...MORE].sort());
  });

  test.each(Object.keys(summaries))('%s has the numbers of the last benchmark', (path) => {
    const results = JSON.parse(read('examples/benchmark/results.json'));
    expect(read(path)).toBe(withSummary(read(path), summaries[path]!(results)));
  });
});

/** Blocks in these languages, each with the text that it is in. */
const blocksIn = (...languages: string[]) =>
  [...TEXTS, ...MORE].flatMap((path) =>
    [...read(path).matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
      .filter(([, language]) => languages.includes(language!))
      .map(([, , code]) => ({ path, code: code! })),
  );

describe('what the texts tell to run', () => {
  const lines = blocksIn('bash', 'sh').flatMap(({ path, code }) =>
    code
      .split('\n')
      .map((line) => line.replace(/\s*#.*/, ''))
      .filter(Boolean)
      .map((line) => [line, path] as const),
  );
  const keras = (file: string) => join(ROOT, 'examples/keras', file);
  let help: string;
  beforeAll(async () => {
    const command = [join(ROOT, PACKAGE.bin[NAME]), '--help'];
    help = (await promisify(execFile)(process.execPath, command)).stdout;
  });

  test('there are commands', () => expect(lines.length).toBeGreaterThan(20));

  test.each(lines)('%s, of %s, is there', (line) => {
    const asOfNpm = line.replace(/^(?:bun|deno) add/, 'npm install').replaceAll(' npm:', ' ');
    const [program, ...args] = asOfNpm.split(/\s+/) as [string, ...string[]];
    const options = args.filter((arg) => arg.startsWith('--'));
    const known: Record<string, () => void> = {
      npm: () => {
        const [what, ...rest] = args as [string, ...string[]];
        if (what === 'install') {
          const packages = Object.keys({ ...PACKAGE.peerDependencies, ...PACKAGE.devDependencies });
          for (const name of rest) expect([NAME, ...packages]).toContain(name);
        } else expect(Object.keys(PACKAGE.scripts)).toContain(what === 'run' ? rest[0] : what);
      },
      npx: () => {
        expect(args[0]).toBe(NAME);
        for (const word of [args[1]!, ...options]) expect(help).toContain(word);
      },
      bun: () => expect(args[0]).toBe('run'),
      deno: () => expect(args[0]).toBe('run'),
      pip: () => {
        expect(args.slice(0, 2)).toEqual(['install', '-r']);
        expect(existsSync(keras(args[2]!))).toBe(true);
      },
      python: () => {
        const script = readFileSync(keras(args[0]!), 'utf8');
        for (const option of options) expect(script).toContain(`"${option}"`);
      },
    };
    expect(Object.keys(known)).toContain(program);
    known[program]!();
  });

  test('in Python: what is imported is installed or here', () => {
    const imports = blocksIn('python').flatMap(({ code }) =>
      [...code.matchAll(/^(?:import|from) (\w+)/gm)].map(([, name]) => name!),
    );
    const installed = readFileSync(keras('requirements.txt'), 'utf8');
    expect(imports.length).toBeGreaterThan(1);
    for (const name of imports) {
      expect([name, existsSync(keras(`${name}.py`)) || installed.includes(`\n${name}==`)]).toEqual([name, true]);
    }
  });

  test('in pages: the scripts are those of the packages, and their names are public', () => {
    const pages = blocksIn('html')
      .map(({ code }) => code)
      .filter((code) => code.includes('<script'));
    expect(pages.length).toBeGreaterThan(0);
    for (const page of pages) {
      const scripts = [...page.matchAll(/src="https:\/\/cdn\.jsdelivr\.net\/npm\/([^"]+)"/g)].map(([, path]) => path!);
      const scriptOf = (name: string, file: string) => `${name}@${PACKAGE.devDependencies[name]}/dist/${file}`;
      const wasm = scriptOf('@tensorflow/tfjs-backend-wasm', 'tf-backend-wasm.min.js');
      expect(scripts).toEqual([
        scriptOf('@tensorflow/tfjs', 'tf.min.js'),
        ...(page.includes('tf.wasm.') ? [wasm] : []),
        NAME, // of which jsdelivr gives the file that package.json names
      ]);
      const names = [...page.matchAll(/\btfn\.(\w+)/g)].map(([, name]) => name!);
      expect(names.length).toBeGreaterThan(0);
      for (const name of names) expect(Object.keys(pack)).toContain(name);
    }
  });
});

interface Words {
  readonly kind: string;
  readonly text: string;
}
interface Reflection {
  readonly name: string;
  readonly variant: string;
  readonly children?: readonly Reflection[];
  readonly categories?: readonly { readonly title: string }[];
  readonly signatures?: readonly Reflection[];
  readonly comment?: {
    readonly summary: readonly Words[];
    readonly blockTags?: readonly { readonly tag: string; readonly content: readonly Words[] }[];
  };
}

describe('the API reference', () => {
  /** What `npm run docs` writes beside the site. Where typedoc complains, as of a link that leads nowhere, it writes nothing. */
  const { children: modules } = JSON.parse(read('dist/docs.json')) as Required<Reflection>;
  /** What the names of the main entry are grouped by. */
  const kinds = modules.find(({ name }) => name === NAME)!.categories!.map(({ title }) => title);
  const names = new Map(modules.flatMap(({ children = [] }) => children).map((one) => [one.name, one]));

  const commentOf = (name: string) => {
    const reflection = names.get(name)!;
    return reflection.comment ?? reflection.signatures?.[0]?.comment;
  };
  const summaryOf = (name: string) => joined(commentOf(name)?.summary);
  const tagOf = (name: string, tag: string) => {
    return joined(commentOf(name)?.blockTags?.find((one) => one.tag === tag)?.content);
  };
  const joined = (words: readonly Words[] = []) => words.map(({ text }) => text).join('');

  const isClass = (value: unknown) => typeof value === 'function' && /^class\b/.test(String(value));
  const classes = Object.entries(pack)
    .filter(([, value]) => isClass(value))
    .map(([name]) => name);
  const factories = Object.keys(pack).filter((name) =>
    classes.some((one) => one !== name && one.toLowerCase() === name.toLowerCase()),
  );
  const functions = [...Object.keys(pack), ...Object.keys(surgery)].filter(
    (name) => !classes.includes(name) && !factories.includes(name),
  );
  /** These compute nothing of their own. */
  const services = [
    ...['loadModel', 'normalizationKernels', 'registerKernels', 'restoreBuiltIns'],
    ...['describeNormalizations', 'registerGraphNormalizations', 'replaceNormalization'],
  ];
  /** These take nothing that could be wrong. */
  const harmless = ['normalizationKernels', 'restoreBuiltIns'];

  test('has every public name', () => {
    for (const name of [...Object.keys(pack), ...Object.keys(surgery)])
      expect([name, names.has(name)]).toEqual([name, true]);
    expect(classes.length).toBeGreaterThan(15);
    expect(factories.length).toBe(classes.length - 4); // those of TensorFlow Addons have none
    expect(functions.length).toBeGreaterThan(10);
  });

  test.each([...classes, ...functions])('%s has an example and says when it throws', (name) => {
    expect(tagOf(name, '@example')).toContain('```js');
    if (!harmless.includes(name)) expect(tagOf(name, '@throws')).not.toBe('');
  });

  test.each([...classes, ...functions].filter((name) => !services.includes(name)))(
    '%s has formula and source',
    (name) => {
      expect(summaryOf(name)).toMatch(/^ {4}\S.* = /m);
      expect(tagOf(name, '@see')).not.toBe('');
    },
  );

  test.each(classes)('%s tells the shapes and the weights', (name) => {
    expect(summaryOf(name)).toMatch(/Inputs?\b.*:/);
    expect(summaryOf(name)).toMatch(/[Ww]eights/);
  });

  test.each(factories)('%s leads to its class', (name) => {
    const [className] = classes.filter((one) => one.toLowerCase() === name.toLowerCase());
    expect(joined(commentOf(name)?.summary)).toMatch(new RegExp(`^Makes an? ${className}\\.$`));
  });

  test('an option that may be left out tells its default', () => {
    const options = [...names.values()].filter(({ name }) => /(Args|Options)$/.test(name));
    const own = options.flatMap(({ name, children = [] }) =>
      children.map((child) => ({ name: `${name}.${child.name}`, child })),
    );
    expect(own.length).toBeGreaterThan(80);
    const silent = own.filter(({ child }) => !/Default|Required/.test(joined(child.comment?.summary)));
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  /** A class refuses an option that it does not know by its name, before it looks at any other. */
  const knows = (name: string, option: string): boolean => {
    try {
      new (pack as unknown as Record<string, new (options: object) => unknown>)[name]!({ [option]: {} });
    } catch (error) {
      return !String(error).includes(`unknown option '${option}'`);
    }
    return true;
  };

  test.each(classes)('%s shows its options and what it has of its own, and nothing else', (name) => {
    const members = names.get(name)!.children!.filter((member) => !['constructor', 'className'].includes(member.name));
    const [methods, fields] = [true, false].map((isMethod) =>
      members.filter(({ signatures }) => (signatures !== undefined) === isMethod).map((member) => member.name),
    );
    const options = (names.get(`${name}Args`)?.children ?? []).map((option) => option.name);
    expect(knows(name, 'nonsense')).toBe(false);
    expect([...fields!, ...options].filter((option) => !knows(name, option))).toEqual([]);
    expect(methods!.filter((method) => method !== 'apply' && method in tf.layers.Layer.prototype)).toEqual([]);
  });

  test('every name of the main entry is of a kind', () => {
    expect(kinds).toEqual([...PACKAGE.typedocOptions.categoryOrder.slice(0, -1), 'Shared options']);
  });

  test('the examples give what they state', async () => {
    const described = [...names.keys()].filter((name) => tagOf(name, '@example') !== '');
    const examples = described.map((name) => examplesIn(tagOf(name, '@example'))[0]!);
    const outcomes = await runExamples(examples);
    const wrong = described
      .map((name, i) => ({ name, ...outcomes[i]! }))
      .filter(({ claims, error }) => error || claims === 0);
    expect(wrong).toEqual([]);
  });
});
