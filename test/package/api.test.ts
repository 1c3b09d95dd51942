/**
 * The public API: every name that an entry of the package exports, with its declaration. A change shows as a difference from
 * the snapshot beside this file; `npx jest test/package/api -u` accepts it.
 */
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import ts from 'typescript';
import { PACKAGE, ROOT } from '../support/user.ts';

const entries = Object.entries(PACKAGE.exports as Record<string, string | Record<string, string>>)
  .filter(([name]) => name !== './package.json')
  .map(([name, target]) => [name, typeof target === 'string' ? target : target.default!] as const);

const declarations = new Map(entries.map(([name, target]) => [name, join(ROOT, target.replace(/\.js$/, '.d.ts'))]));
const program = ts.createProgram([...declarations.values()], {
  module: ts.ModuleKind.NodeNext,
  allowImportingTsExtensions: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
});
const checker = program.getTypeChecker();
const printer = ts.createPrinter({ removeComments: true });

/** A class without what only its own and derived classes use. */
function publicPart(node: ts.Declaration): ts.Declaration {
  if (!ts.isClassDeclaration(node)) return node;
  const { modifiers, name, typeParameters, heritageClauses, members } = node;
  const isInner = (member: ts.ClassElement) =>
    (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.NonPublicAccessibilityModifier) !== 0 ||
    (member.name !== undefined && ts.isPrivateIdentifier(member.name));
  const shown = members.filter((member) => !isInner(member));
  return ts.factory.updateClassDeclaration(node, modifiers, name, typeParameters, heritageClauses, shown);
}

/** The names of an entry, in order, each with its declarations as TypeScript writes them. */
function exportsOf(path: string): [name: string, text: string][] {
  const module = checker.getSymbolAtLocation(program.getSourceFile(path)!);
  if (!module) return []; // an entry that only registers something
  const symbols = checker.getExportsOfModule(module).map((symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    const text = target.declarations!.map((node) =>
      printer.printNode(ts.EmitHint.Unspecified, publicPart(node), node.getSourceFile()),
    );
    return [symbol.name, text.join('\n')] as [string, string];
  });
  return symbols.sort(([a], [b]) => (a < b ? -1 : 1));
}

const main = new Map(exportsOf(declarations.get('.')!));

test('of the main entry', () => {
  expect(main.size).toBeGreaterThan(50);
  expect([...main.values()].join('\n\n')).toMatchSnapshot();
});

test('of the other entries, whose names are those of the main entry but for a few', () => {
  const others = [...declarations].filter(([entry]) => entry !== '.');
  const report = others.map(([entry, path]) => {
    const lines = exportsOf(path).map(([name, text]) => (main.get(name) === text ? name : `${name}\n${text}`));
    return [entry, ...lines].join('\n  ');
  });
  expect(report.join('\n\n')).toMatchSnapshot();
});
