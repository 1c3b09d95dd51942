/** The norm of each unit's weights at the start and now, and g, which should be the same. */
import * as Plot from '@observablehq/plot';
import { plotFigure } from '../shared/charts.ts';

interface Unit {
  readonly kind: string;
  readonly unit: number;
  readonly start: number;
  readonly now: number;
  readonly g?: number | undefined;
}

export function normsChart(lines: Readonly<Record<string, string>>) {
  const shown = new Map<string, Unit[]>();

  function plot(): Plot.PlotOptions {
    const units = [...shown.values()].flat();
    const kinds = Object.keys(lines);
    const place = { x: 'unit', stroke: 'kind', fx: 'kind' };
    return {
      height: 290,
      marginLeft: 44,
      grid: true,
      ariaLabel: 'Norm of the weights of each unit',
      x: { label: 'unit', ticks: [8, 24] },
      y: { label: '‖w‖', zero: true },
      fx: { label: null, domain: kinds, axis: null },
      color: { legend: true, domain: kinds, range: Object.values(lines) },
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
  const { element, drawSoon } = plotFigure(
    'Norm of the weights of each unit, second layer',
    plot,
    'Each line leads from the start to now. A cross is the learned length g, which is the norm.',
  );
  return {
    element,
    clear: () => shown.clear(),
    units: (): readonly Unit[] => [...shown.values()].flat(),
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
