/** Models in a folder of the disk, as `file://` of tfjs-node keeps them: model.json and the files that it lists. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { io } from '@tensorflow/tfjs';

export function folder(path: string, modelFile = 'model.json'): Required<Pick<io.IOHandler, 'save' | 'load'>> {
  return {
    save: async ({ weightData, weightSpecs, ...artifacts }) => {
      await mkdir(path, { recursive: true });
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      await writeFile(join(path, 'weights.bin'), Buffer.concat([weightData!].flat().map((part) => Buffer.from(part))));
      await writeFile(join(path, modelFile), JSON.stringify({ ...artifacts, weightsManifest }));
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    },
    load: async () => {
      const { weightsManifest, ...artifacts } = JSON.parse(
        await readFile(join(path, modelFile), 'utf8'),
      ) as io.ModelJSON;
      const parts = await Promise.all(
        weightsManifest.flatMap(({ paths }) => paths).map((name) => readFile(join(path, name))),
      );
      // A copy: a small Buffer is a window into memory that Node shares.
      const weightData = Uint8Array.from(Buffer.concat(parts)).buffer;
      return {
        ...artifacts,
        weightSpecs: weightsManifest.flatMap(({ weights }) => weights),
        weightData,
      } as io.ModelArtifacts;
    },
  };
}
