/** The norm of each unit's weights at the start and now, and g, which should be the same. */
import type * as Plots from '@observablehq/plot';
import { below, MARGIN_BELOW, type PlotModule, plotFigure } from '../shared/charts.ts';

export interface Unit {
  readonly kind: string;
  readonly unit: number;
  readonly start: number;
  readonly now: number;
  readonly g?: number | undefined;
}

export function normsChart(lines: Readonly<Record<string, string>>) {
  const shown = new Map<string, Unit[]>();

  function plot(Plot: PlotModule): Plots.PlotOptions {
    const units = [...shown.values()].flat();
    const kinds = Object.keys(lines);
    const place = { x: 'unit', stroke: 'kind', fx: 'kind' };
    return {
      marginLeft: 44,
      marginBottom: MARGIN_BELOW,
      grid: true,
      x: { ...below('unit'), ticks: [8, 24], domain: [-1, 32] },
      y: { label: '‖w‖', labelArrow: 'none', zero: true },
      fx: { label: null, domain: kinds, axis: null },
      color: { domain: kinds, range: Object.values(lines) },
      marks: [
        Plot.frame({ strokeOpacity: 0.15 }),
        Plot.ruleX(units, { ...place, y1: 'start', y2: 'now', strokeOpacity: 0.5 }),
        Plot.dot(units, { ...place, y: 'now', r: 3.5, fill: 'kind' }),
        Plot.dot(
          units.filter(({ g }) => g !== undefined),
          { ...place, stroke: 'currentColor', y: 'g', symbol: 'times', r: 1.5 },
        ),
      ],
    };
  }
  const { element, drawSoon } = plotFigure({
    title: 'Norm of the weights of each unit, second layer',
    caption: 'Each line leads from the start to now. A cross is the learned length g, which is the norm.',
    legend: () => Object.entries(lines).map(([name, color]) => ({ name, color })),
    plot,
  });
  return {
    element,
    clear: () => shown.clear(),
    units: (): readonly Unit[] => [...shown.values()].flat(),
    set(units: readonly Unit[]) {
      shown.clear();
      for (const unit of units) shown.set(unit.kind, [...(shown.get(unit.kind) ?? []), unit]);
      drawSoon();
    },
    show(kind: string, norms: ArrayLike<number>, g?: ArrayLike<number>) {
      const before = shown.get(kind);
      const units = Array.from(norms, (now, unit) => ({
        kind,
        unit,
        now,
        start: before?.[unit]?.start ?? now,
        g: g && Math.abs(g[unit]),
      }));
      shown.set(kind, units);
      drawSoon();
    },
  };
}
