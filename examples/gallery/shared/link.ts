/** The button that copies a link to the page as it is. */
import { fullLink } from './address.ts';
import { element } from './dom.ts';

/** Copies a link that shows the page with all settings as they are. */
export function copyLink(): HTMLElement {
  const button = element('button', { type: 'button', className: 'copy-link' }, 'Copy link');
  button.addEventListener('click', async () => {
    await copyByButton(button, fullLink());
    setTimeout(() => {
      button.textContent = 'Copy link';
    }, 2000);
  });
  return button;
}

/** Copies a link, or puts it into the address bar where a page may not write to the clipboard; the button says which. */
export async function copyByButton(button: HTMLButtonElement, link: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(link);
    button.textContent = 'Copied';
  } catch {
    history.replaceState(null, '', link);
    button.textContent = 'It is in the address bar';
  }
}
