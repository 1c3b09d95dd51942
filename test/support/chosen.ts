/** Which backends to test: those that the environment variable BACKENDS lists, or all. */
const listed = process.env.BACKENDS?.split(',').map((name) => name.trim());

export const chosen = (backend: string): boolean => listed === undefined || listed.includes(backend);
