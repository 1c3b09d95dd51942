/** What saving and loading have in common: their options, and the plan that these make of a model. */
import { LayersModel } from '@tensorflow/tfjs-layers';
import { fail, show } from '../../../kernels/core/errors.ts';
import { checkBoolean, checkFunction, checkOneOf } from '../../../kernels/functions/checks.ts';
import type { Plan } from './entries.ts';
import { plainPlan } from './plain.ts';
import { pytorchPlan } from './pytorch.ts';

/** Options of saving and loading safetensors files. */
export interface SafetensorsOptions {
  /**
   * 'pytorch': the names and layouts that a PyTorch model saves whose modules are called as the layers are. 'plain': the names and
   * layouts of TensorFlow.js. Default: 'pytorch'.
   */
  readonly mode?: 'pytorch' | 'plain';
  /**
   * For 'pytorch': modules that are called differently, by the name of the layer or model, such as `{stem: 'features.0'}`; a layer in
   * a model within is 'model.layer'. Default: none.
   */
  readonly modules?: Readonly<Record<string, string>>;
  /**
   * For 'pytorch': whether the PyTorch model has channels last, too, where it flattens images or reshapes to images. Default: false.
   */
  readonly channelsLast?: boolean;
  /** Is told the share of the file that is done, from 0 to 1. Default: nobody is. */
  readonly onProgress?: (fraction: number) => void;
}

const MODES = ['pytorch', 'plain'] as const;

/** Where the weights of the model are in a file. */
export function planOf(who: string, model: LayersModel, options: SafetensorsOptions): Plan {
  const mode = checkOneOf(who, 'mode', options.mode ?? 'pytorch', MODES);
  const channelsLast = checkBoolean(who, 'channelsLast', options.channelsLast ?? false);
  const { modules = {}, onProgress } = options;
  const isNames =
    typeof modules === 'object' && modules !== null && Object.values(modules).every((name) => typeof name === 'string');
  if (!isNames)
    fail(who, `modules must be an object of names, such as {stem: 'features.0'}; received ${show(modules)}`);
  checkFunction(who, 'onProgress', onProgress);
  checkModel(who, model);
  return mode === 'plain' ? plainPlan(who, model) : pytorchPlan(who, model, { modules, channelsLast });
}

/** Refuses what is no model, or has no weights any more. */
export function checkModel(who: string, model: LayersModel): void {
  if (!(model instanceof LayersModel)) fail(who, `model must be a model of layers; received ${show(model)}`);
  try {
    for (const weight of model.weights) weight.read();
  } catch (error) {
    fail(who, `the model '${model.name}' has been disposed of (${(error as Error).message}); make it again`);
  }
}
