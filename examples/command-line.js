/** What the command lines of the examples share: options that are checked, and mistakes shown without a stack trace. */
import { parseArgs } from 'node:util';

/** A mistake of the user's. */
export class UsageError extends Error {}

/**
 * Reads options, strictly. Every one takes a value, except `--help` and those whose default is false.
 *
 * @param {string[]} args the arguments after the name of the script
 * @param {Record<string, string | false | undefined>} defaults of all options but `--help`
 * @param {string} example a right command line
 * @throws {UsageError} that names what is wrong
 */
export function parse(args, defaults, example) {
  const options = { help: { type: 'boolean', short: 'h' } };
  for (const [name, value] of Object.entries(defaults)) {
    options[name] = { type: value === false ? 'boolean' : 'string', ...(value && { default: value }) };
  }
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    const [problem] = error.message.split('. ');
    // Without '--', npm takes the options for its own and passes on their values alone.
    const hint =
      error.code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL' ? `write: ${example}` : '--help lists the options';
    throw new UsageError(`${problem}; ${hint}`);
  }
}

/** The names in a comma-separated list, each of them known and there once. */
export function names(option, value, known) {
  const given = value.split(',').map((name) => name.trim());
  for (const [i, name] of given.entries()) {
    oneOf(option, name, known);
    if (given.indexOf(name) < i) throw new UsageError(`${option} takes each name once; received '${name}' twice`);
  }
  return given;
}

/** A known name. */
export function oneOf(option, name, known) {
  if (!known.includes(name)) throw new UsageError(`${option} takes ${known.join(', ')}; received '${name}'`);
  return name;
}

/** A whole number from 1 to `most`. */
export function count(option, value, most) {
  const number = /^\d+$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > most) {
    throw new UsageError(`${option} takes a whole number from 1 to ${most}; received '${value}'`);
  }
  return number;
}

/** Runs `main` with the arguments of the process; exit code 2 for a mistake of the user's, 1 for any other error. */
export async function run(name, main) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    const usage = error instanceof UsageError;
    console.error(usage ? `${name}: ${error.message}` : error);
    process.exitCode = usage ? 2 : 1;
  }
}
