/** How near our function comes to a copy, which does nothing but move memory, by the clock of the GPU. */
import { cell } from '../../benchmark/format.js';
import { label, type Result } from './contests.ts';

/** Forward; empty where the GPU has no clock to ask. */
export function bandwidths(results: readonly (Result | undefined)[]): string {
  const lines = results.flatMap((result) => {
    if (!result?.gpuUs?.ours || !result.gpuUs.copy) return []; // 0: the clock is too coarse
    const bytes = 2 * 4 * result.shape.reduce((a, b) => a * b, 1); // x is read, and y written
    const rate = (us: number) => `${cell(bytes / us / 1000, 'ratio')} GB/s`;
    const { ours, copy } = result.gpuUs;
    return [`${label(result)} ${cell(ours, 'time')}, ${rate(ours)} (a copy ${cell(copy, 'time')}, ${rate(copy)})`];
  });
  return lines.length > 0 ? `Our function, forward, by the clock of the GPU: ${lines.join('; ')}.` : '';
}
