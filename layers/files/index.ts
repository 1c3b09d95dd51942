/**
 * Models as files of other libraries. An entry of its own: who does not use it neither loads nor needs what it asks for.
 *
 * @module tfjs-normalizations/files
 */
export { loadModel } from './load-model.ts';
export { loadWeights } from './load-weights.ts';
export { type LoadSafetensorsOptions, loadSafetensors, type SafetensorsReport } from './safetensors/load.ts';
export type { SafetensorsOptions } from './safetensors/model.ts';
export { pytorchNotes } from './safetensors/notes.ts';
export { saveSafetensors } from './safetensors/save.ts';
export { kerasFile, saveKeras } from './save-keras.ts';
export type { FileSource, ReadOptions } from './source.ts';
