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

/** A picture or chart with what it shows. */
export const figure = (caption: string, ...content: Content[]): HTMLElement =>
  element('figure', {}, ...content, element('figcaption', {}, caption));
