/** Models that release 0.1.0 has saved load, and predict what they predicted. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { SavedModel } from '../cases/release.ts';
import { describeBackends } from '../support/backends.ts';

const file = join(__dirname, '..', 'goldens', 'release-0.1.0', 'models.json');
const models = JSON.parse(readFileSync(file, 'utf8')) as SavedModel[];

describeBackends('A model of release 0.1.0', (backend) => {
  test.each(models.map((model) => [model.name, model] as const))('%s', async (_, model) => {
    const { value } = await backend.run('predictSaved', model);
    expect(value.shape).toEqual(model.expected.shape);
    expect(value.data).toBeClose(model.expected.data, { ofMax: 2e-6 });
  });
});
