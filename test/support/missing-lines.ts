/**
 * Asks for the lines that are missing, each after its file.
 * @throws with the lines as they are to be pasted: of an array that is not empty Jest would show them with their quotes escaped
 */
export function askFor(lines: readonly string[]): void {
  if (lines.length > 0) throw new Error(`these lines are missing:\n\n${lines.join('\n\n')}\n`);
}
