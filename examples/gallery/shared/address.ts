/** A setting that the address gives: `?batch=4`. */
export const given = (name: string): string | null => new URLSearchParams(location.search).get(name);
