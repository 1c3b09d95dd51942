/**
 * Models as files of other libraries. An entry of its own: who does not use it neither loads nor needs what it asks for.
 *
 * @module tfjs-normalizations/files
 */
export { type LoadSafetensorsOptions, loadSafetensors, type SafetensorsReport } from './safetensors/load.ts';
export type { SafetensorsOptions } from './safetensors/model.ts';
export { pytorchNotes } from './safetensors/notes.ts';
export type { SafetensorsSource } from './safetensors/places.ts';
export { saveSafetensors } from './safetensors/save.ts';
export { kerasFile, saveKeras } from './save-keras.ts';
