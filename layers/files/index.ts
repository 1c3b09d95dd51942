/**
 * Files of other programs: safetensors of PyTorch and the Hugging Face hub.
 *
 * @module tfjs-normalizations/files
 */
export { type LoadSafetensorsOptions, loadSafetensors, type SafetensorsReport } from './safetensors/load.ts';
export type { SafetensorsOptions } from './safetensors/model.ts';
export { pytorchNotes } from './safetensors/notes.ts';
export type { SafetensorsSource } from './safetensors/places.ts';
export { saveSafetensors } from './safetensors/save.ts';
