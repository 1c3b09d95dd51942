/** The default path of the library. */
export function outputPath(): string;
/** The names of the instruction sets of an architecture, with the compiler's flags for each. */
export function instructionsOf(arch: string): Record<string, string[]>;
/** Compiles the native kernels. */
export function buildNative(output?: string): Promise<{ output: string; compiler: string }>;
