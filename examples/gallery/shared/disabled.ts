/**
 * Buttons that cannot be pressed for a while. An element with the property `disabled` loses the focus, and a keyboard user
 * begins anew at the top of the page; with `aria-disabled` the focus stays, and this module takes the clicks away.
 */
export function setDisabled(button: HTMLElement, disabled: boolean): void {
  if (disabled) button.ariaDisabled = 'true';
  else button.removeAttribute('aria-disabled');
}

document.addEventListener(
  'click',
  (event) => {
    if (!(event.target as Element).closest?.('button[aria-disabled="true"]')) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  { capture: true },
);
