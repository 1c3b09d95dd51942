/**
 * The documentation, `npm run docs`, is made by typedoc of the docstrings and the guides here; its options are in package.json. What they
 * cannot say is here: the kind of each name, which members of a class are left out, titles of guides, and links between
 * documentation and gallery, which are one site: the gallery at its root, and this in the folder `docs`.
 */
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { CommentTag, Converter, PageEvent, ReflectionKind } from 'typedoc';

/** What a public name is, by the first of these that its file matches. */
const KINDS = {
  Functions: /kernels\/(functions|ops)\//,
  Kernels: /kernels\/core\/(contract|registry)/,
  Models: /layers\/(models\/|base\/register)/,
  Attention: /layers\/(multi-head-attention|query-key-)/,
  Conditional: /layers\/(adaptive|conditional|featurewise|spatially-adaptive)-/,
  Residual: /layers\/add-/,
  Recurrent: /layers\/(gru|layer-norm-|base\/recurrent)/,
  Wrappers: /layers\/(weight-|spectral-|base\/inner-layer)/,
  'Shared options': /kernels\/core\/|layers\/base\//,
  Normalizations: /layers\//,
};

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, guide) => {
    [, guide.name] = /^# (.+)$/m.exec(guide.content.map(({ text }) => text).join(''));
    // A folder of the gallery is a page of the site, and no file to copy.
    for (const part of guide.content) {
      if (part.kind === 'relative-link' && /\bgallery\/([\w-]+\/)?$/.test(part.text)) part.kind = 'text';
    }
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    const entry = context.project.children.find(({ name }) => name === context.project.name);
    for (const reflection of entry.children) addTag(reflection, '@category', kindOf(context, reflection));
    for (const layer of context.project.getReflectionsByKind(ReflectionKind.Class)) {
      leaveOut(context, layer);
      const links = showing(layer.name).map(({ folder, title }) => `[${title}](../../${folder}/index.html)`);
      if (links.length > 0) addTag(layer, '@see', `In the gallery: ${links.join(', ')}.`);
    }
  });
  // Of what an exported class is made is not public.
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const layer of project.getReflectionsByKind(ReflectionKind.Class)) {
      delete layer.typeHierarchy;
      for (const member of layer.children) {
        for (const one of [member, ...(member.signatures ?? [])]) {
          delete one.inheritedFrom;
          delete one.overwrites;
        }
      }
    }
  });
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = page.contents.replace(/<title>[^<]*/, `<title>${titleOf(page)}`);
    const root = '../'.repeat(page.url.split('/').length);
    page.contents = page.contents.replace(
      /href="(?:\.\.\/)*(?:examples\/)?gallery\/([^"]*?)(?:index\.html)?"/g,
      (_, path) => {
        return `href="${root}${path}index.html"`;
      },
    );
  });
}

/** Names may be the same in two entries of the package, titles of pages are not. */
function titleOf({ model, url }) {
  if (model.isProject()) return `${model.name}: ${url === 'index.html' ? 'documentation' : 'API reference'}`;
  if (model.kindOf(ReflectionKind.Module)) return `Module ${model.name}`;
  return `${model.name} | ${model.isDocument() ? model.project.name : model.parent.name}`;
}

function kindOf(context, reflection) {
  const file = context.getSymbolFromReflection(reflection).declarations[0].getSourceFile().fileName;
  return Object.keys(KINDS).find((kind) => KINDS[kind].test(file));
}

function addTag(reflection, tag, text) {
  for (const { comment } of reflection.signatures ?? [reflection]) {
    comment?.blockTags.push(new CommentTag(tag, [{ kind: 'text', text }]));
  }
}

/**
 * A class shows its options and what it has of its own. What every layer of TensorFlow.js has is left out, and so are fields of a base
 * class that are no options of this one; statics but for `className` serve loading.
 */
function leaveOut(context, layer) {
  const checker = context.programs[0].getTypeChecker();
  const statics = checker.getTypeOfSymbol(context.getSymbolFromReflection(layer));
  const [signature] = statics.getConstructSignatures();
  const options = optionsOf(checker, signature.parameters[0]);
  let theirs = signature.getReturnType();
  while (!isOfTensorFlow(theirs)) [theirs] = checker.getBaseTypes(theirs);
  for (const member of [...layer.children]) {
    const { name, flags } = member;
    if (name === 'className' || member.kindOf(ReflectionKind.Constructor) || options.has(name)) continue;
    const isTheirs = theirs.getProperty(name) !== undefined || flags.isStatic;
    const ownForm = name === 'apply' && !flags.isInherited;
    if ((isTheirs && !ownForm) || (flags.isInherited && member.kindOf(ReflectionKind.Property))) {
      context.project.removeReflection(member);
    }
  }
}

const isOfTensorFlow = (type) => type.symbol.declarations[0].getSourceFile().fileName.includes('@tensorflow');

/** The names of all options that the constructor's argument may have; of wrappers it may be a layer, too. */
function optionsOf(checker, argument) {
  const type = checker.getNonNullableType(checker.getTypeOfSymbol(argument));
  const forms = type.isUnion() ? type.types : [type];
  return new Set(
    forms.filter((form) => !form.isClass()).flatMap((form) => form.getProperties().map(({ name }) => name)),
  );
}

/** The pages of the gallery that show a layer, but for those that show nothing but that it runs. */
const { pages } = await import(`data:text/javascript,${encodeURIComponent(compiled('../gallery/pages.ts'))}`);
const showing = (layer) =>
  pages.filter(({ folder, layers }) => layers.includes(layer) && !['benchmark', 'save-and-load'].includes(folder));

function compiled(path) {
  const file = fileURLToPath(new URL(path, import.meta.url));
  return buildSync({ entryPoints: [file], format: 'esm', write: false }).outputFiles[0].text;
}
