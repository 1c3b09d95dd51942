#!/usr/bin/env node
/**
 * The command `tfjs-normalizations`: converts model files, says what is in one, and compiles native kernels. What needs TensorFlow.js is
 * imported when a command needs it: so --help works without it, and a command can say what to install.
 */
import { parseArgs } from 'node:util';
import { lineOf, UsageError } from './messages.ts';

const HELP = `Usage: tfjs-normalizations convert FROM TO [options]
       tfjs-normalizations inspect FILE [options]
       tfjs-normalizations build-native

convert   writes the model, or its weights, in another format, by the ends of the names:
            .json         of TensorFlow.js, with its weights beside it
            .keras        of Keras 3
            .h5           of Keras 2 or 3; is read only
            .safetensors  weights alone, for PyTorch; is read with --model
inspect   lists layers, weights and what the model normalizes with, and says which formats take the
          model and why others do not; of a graph model, which normalizations are spelled out in it
build-native
          compiles the native kernels for @tensorflow/tfjs-node into the package, with g++, clang++
          or the compiler that CXX names; for Linux on x64 the package has them already

Options:
  -m, --model FILE           the model whose weights FROM, a .safetensors file, has
      --plain                .safetensors with TensorFlow.js's names and layouts, not PyTorch's
      --module LAYER=MODULE  what PyTorch calls a layer; may be there several times
      --channels-last        the PyTorch model has channels last, too, where it flattens images
      --force                replace files that are there
  -h, --help                 print this
  -v, --version              print the version

Examples:
  npx tfjs-normalizations convert model.keras web/model.json
  npx tfjs-normalizations convert model.json weights.safetensors --module fc=classifier.0
  npx tfjs-normalizations convert trained.safetensors web/model.json --model model.json
  npx tfjs-normalizations inspect model.h5
`;

const OPTIONS = {
  model: { type: 'string', short: 'm' },
  plain: { type: 'boolean' },
  module: { type: 'string', multiple: true },
  'channels-last': { type: 'boolean' },
  force: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

/** What each command takes beside options. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  convert: ['FROM', 'TO'],
  inspect: ['FILE'],
  'build-native': [],
};

/** The arguments of the process, of which each command takes some. */
function parsed(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const [problem] = (error as Error).message.split('. ');
    throw new UsageError(problem as string);
  }
}

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parsed(args);
  const [command, ...files] = positionals;
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (values.version) {
    const { readFileSync } = await import('node:fs');
    const file = readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8');
    process.stdout.write(`${(JSON.parse(file) as { version: string }).version}\n`);
    return;
  }
  if (command === undefined) throw new UsageError('what is to be done? convert, inspect or build-native');
  const wanted = ARGUMENTS[command];
  if (wanted === undefined) throw new UsageError(`there is no command '${command}'`);
  if (files.length !== wanted.length) {
    const taken = wanted.length === 0 ? 'nothing' : wanted.join(' and ');
    throw new UsageError(`${command} takes ${taken}; received ${files.length === 0 ? 'nothing' : files.join(' ')}`);
  }
  if (command === 'build-native') {
    const { buildNative } = await import('./build-native.ts');
    return buildNative();
  }
  const { model, plain = false, force = false } = values;
  const options = {
    model,
    force,
    plain,
    channelsLast: values['channels-last'] ?? false,
    modules: modulesOf(values.module),
  };
  const [first, second] = files as [string, string];
  if (command === 'convert') {
    const { convert } = await import('./convert.ts');
    await convert(first, second, options);
  } else {
    const { inspect } = await import('./inspect.ts');
    await inspect(first, options);
  }
}

function modulesOf(pairs: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new UsageError(`--module takes LAYER=MODULE; received '${pair}'`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

// A reader such as head may go before everything is written.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
main(process.argv.slice(2)).catch((error: unknown) => {
  const isUsage = error instanceof UsageError;
  process.stderr.write(`tfjs-normalizations: ${lineOf(error)}${isUsage ? '; --help tells more' : ''}\n`);
  process.exitCode = isUsage ? 2 : 1;
});
