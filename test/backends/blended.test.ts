/** The kernels of the blended form (moments, scale and shift, moving averages) against the oracle, on every backend. */
import { describe, expect, test } from '@jest/globals';
import { momentsIn } from '../../kernels/core/numbers.ts';
import { describeKernels } from '../support/backends.ts';
import { activations, affineInputs, averageInputs, blendInputs, type Inputs } from '../support/inputs.ts';
import { checkMoments, expectOurs, isThorough, ROUTES, tolerance } from '../support/kernel-checks.ts';
import * as oracle from '../support/oracle.ts';
import { normals } from '../support/random.ts';
import { KINDS, named, OFFSETS, VIEWS, WIDE } from '../support/views.ts';

const AFFINE = ['mean', 'variance', 'scale', 'shift'] as const;
const perChannel = (views: readonly Inputs[]) => views.filter(({ view }) => view.groups === view.c);
const ALL = perChannel([...VIEWS, ...WIDE]);
const FEW = perChannel([...KINDS, ...WIDE]);

describeKernels('the blended form', (backend) => {
  describe.each(ROUTES[backend.name])('by %s', (route) => {
    const channels = isThorough(backend, route) ? ALL : FEW;

    test.each(named(channels))('moments, %s', async (_, view) => {
      for (const mean of OFFSETS) {
        const inputs = { ...view, mean };
        const { x } = activations(inputs);
        const dmoments = normals(13, 2 * view.view.n * view.view.c);
        const { value, kernels, leaked } = await backend.run('moments', { route, ...inputs, dmoments: [...dmoments] });
        checkMoments(backend, route, inputs, value.moments, oracle.moments(x, view.view));
        if (route === 'ops') {
          const dx = oracle.momentsGrad(dmoments, x, view.view);
          expect(value.dx).toBeClose(dx, tolerance(backend, route, inputs, 'blended'));
        }
        expect(leaked).toEqual({ tensors: 0, data: 0 });
        if (route !== 'ops') expectOurs(backend, route, kernels, ['Moments']);
      }
    });

    test.each(named(channels))('scaleShift and its gradients, %s', async (_, view) => {
      const inputs = { ...view, epsilon: 0.1, with: AFFINE };
      const { x, dy, affine } = affineInputs(inputs);
      const { value, leaked } = await backend.run('scaleShift', { route, ...inputs });
      const y = oracle.scaleShift(x, affine, view.view, 0.1);
      expect(value.y).toBeClose(y, tolerance(backend, route, inputs, 'activations'));
      expect(leaked).toEqual({ tensors: 0, data: 0 });
      if (route !== 'ops') return;
      const root = affine.variance!.map((v) => Math.sqrt(v + 0.1));
      const by = affine.scale!.map((v, i) => v / root[i]!);
      const { dscale, dshift } = oracle.scaleShiftGrad(dy, x, affine.mean, view.view);
      const sums = tolerance(backend, route, inputs, 'sums');
      expect(value.dx).toBeClose(oracle.scaleShift(dy, { scale: by }, view.view), sums);
      expect(value.dshift).toBeClose(dshift, sums);
      expect(value.dmean).toBeClose(
        dshift.map((v, i) => -v * by[i]!),
        sums,
      );
      expect(value.dscale).toBeClose(
        dscale.map((v, i) => v / root[i]!),
        sums,
      );
      expect(value.dvariance).toBeClose(
        dscale.map((v, i) => (-v * by[i]!) / (2 * root[i]! ** 2)),
        sums,
      );
    });

    test.each(named(KINDS))('scaleShift with any of its parameters, %s', async (_, view) => {
      for (let bits = 0; bits < 16; bits++) {
        const inputs = { ...view, epsilon: 0.1, with: AFFINE.filter((_, i) => (bits >> i) & 1) };
        const { x, affine } = affineInputs(inputs);
        const { value, kernels, leaked } = await backend.run('scaleShift', { route, ...inputs });
        const y = oracle.scaleShift(x, affine, view.view, 0.1);
        expect(value.y).toBeClose(y, tolerance(backend, route, inputs, 'activations'));
        expect(leaked).toEqual({ tensors: 0, data: 0 });
        if (route !== 'ops') expectOurs(backend, route, kernels, ['ScaleShift']);
      }
    });

    test.each([1, 2, 3, 64, 1025])('average of %d values', async (size) => {
      for (const inputs of [
        { size, row: 0, momentum: 0.99 },
        { size, row: 1, momentum: 0.5 },
        { size, row: 1, momentum: 0 },
        { size, row: 0, momentum: 1 },
        { size, row: 0, momentum: 0.5, further: 3 },
        { size, row: 1, momentum: 0.5, further: 3 },
      ] as const) {
        const { old, statistics } = averageInputs(inputs);
        const { value, kernels, leaked } = await backend.run('average', { route, ...inputs });
        const average = oracle.average(old, momentsIn(statistics, size), inputs.row, inputs.momentum);
        expect(value.average).toBeClose(average, tolerance(backend, route, {}, 'activations'));
        expect(leaked).toEqual({ tensors: 0, data: 0 });
        expectOurs(backend, route, kernels, ['Average']);
      }
    });

    if (route === 'ops') return;

    test.each(named([...KINDS, ...channels]))('scaleShiftGrad, %s', async (_, view) => {
      const inputs = { ...view, epsilon: 0, with: ['mean'] as const };
      const { x, dy, affine } = affineInputs(inputs);
      const { value, kernels, leaked } = await backend.run('scaleShiftGrad', { route, ...inputs });
      const { dscale, dshift } = oracle.scaleShiftGrad(dy, x, affine.mean, view.view);
      expect(value.dscale).toBeClose(dscale, tolerance(backend, route, inputs, 'sums'));
      expect(value.dshift).toBeClose(dshift, tolerance(backend, route, inputs, 'sums'));
      expect(leaked).toEqual({ tensors: 0, data: 0 });
      expectOurs(backend, route, kernels, ['ScaleShiftGrad']);
    });

    if (route === 'reference') return;

    test.each(named([...KINDS, ...channels]))('blendGrad, %s', async (_, inputs) => {
      const values = blendInputs(inputs);
      const { value, kernels, leaked } = await backend.run('blendGrad', inputs);
      const dx = oracle.blendGrad(values.dy, values.x, values, inputs.view);
      expect(value.dx).toBeClose(dx, tolerance(backend, route, inputs, 'activations'));
      expect(leaked).toEqual({ tensors: 0, data: 0 });
      expectOurs(backend, route, kernels, ['BlendGrad']);
    });
  });
});
