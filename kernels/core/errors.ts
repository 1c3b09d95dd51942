/** What every message is made of: who speaks, the rule, what was received, the way out. */

/** Every error of this package. `cause`: the error of another that it explains. */
export function fail(who: string, message: string, cause?: unknown): never {
  throw new Error(`${who}: ${message}`, cause ? { cause } : undefined);
}

/** A value for a message, whatever it is: not everything can become JSON, or a string. */
export function show(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  // `instanceof` does not know what another copy of TensorFlow.js has made.
  if (typeof value === 'object' && value !== null && ('sourceLayer' in value || 'inboundNodes' in value)) {
    return 'a layer or symbolic tensor, perhaps of another copy of TensorFlow.js (a page must load one copy only)';
  }
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
