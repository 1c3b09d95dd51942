import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './user.ts';

/** The folders of kernels/ that implement a backend: those with a port, but for the one whose kernels are no part of normalization. */
export const KERNEL_FOLDERS = readdirSync(join(ROOT, 'kernels')).filter(
  (folder) => folder !== 'wasm-training' && existsSync(join(ROOT, 'kernels', folder, 'backend.ts')),
);
