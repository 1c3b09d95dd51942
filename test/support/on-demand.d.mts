/** The folder of one of the packages that on-demand.mjs lists, installed if it must be; throws with the reason where it cannot be. */
export function packageFolder(name: string): string;
