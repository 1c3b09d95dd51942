/** Elements in one expression. */

type Content = Node | string | undefined | false;

/** `element('a', { href: '#' }, 'text')`: properties are those of the DOM, `data-` and `aria-` names are attributes. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> | Record<string, unknown> = {},
  ...content: Content[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(data|aria)-|^(role|for|style|list)$/.test(name)) made.setAttribute(name, String(value));
    else Object.assign(made, { [name]: value });
  }
  made.append(...content.filter((part) => part !== undefined && part !== false));
  return made;
}

/** A part of a page under a heading, which also names it for screen readers. */
export function section(title: string, ...content: Content[]): HTMLElement {
  const heading = element('h2', {}, title);
  heading.id = title.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return element('section', { 'aria-labelledby': heading.id }, heading, ...content);
}

/** The laboratory of a page: the run bar if something runs, the settings, and what they drive. */
export const lab = (runBar: HTMLElement | undefined, settings: HTMLElement, ...figures: Content[]): HTMLElement =>
  element(
    'div',
    { className: 'lab' },
    element('h2', { className: 'unseen' }, 'Try it'),
    runBar,
    settings,
    element('div', { className: 'figures' }, ...figures),
  );

/** A picture or chart with what it shows. */
export const figure = (caption: string, ...content: Content[]): HTMLElement =>
  element('figure', {}, ...content, element('figcaption', {}, caption));

export const table = (heads: readonly string[], rows: readonly HTMLTableRowElement[]): HTMLTableElement =>
  element(
    'table',
    {},
    element('thead', {}, element('tr', {}, ...heads.map((text) => element('th', { scope: 'col' }, text)))),
    element('tbody', {}, ...rows),
  );

/** A row that begins with its head. */
export const tableRow = (
  head: Content,
  cells: readonly (string | HTMLTableCellElement)[],
  properties: Record<string, unknown> = {},
): HTMLTableRowElement =>
  element(
    'tr',
    properties,
    element('th', { scope: 'row' }, head),
    ...cells.map((cell) => (typeof cell === 'string' ? element('td', {}, cell) : cell)),
  );

/** Saves a file where the browser keeps downloads. */
export function download(file: Blob, name: string): void {
  const href = URL.createObjectURL(file);
  element('a', { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

/** Settles when the browser has drawn what is in the page now: before work that keeps it busy. */
export const drawn = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
