/** The README's table and the docstrings say what the catalog says. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type CatalogEntry, catalog } from '../../layers/catalog.ts';
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
