/** Models as files of other libraries. An entry of its own: who does not use it neither loads nor needs what it asks for. */
export { loadModel } from './load-model.ts';
export { loadWeights } from './load-weights.ts';
export { kerasFile, saveKeras } from './save-keras.ts';
export type { FileSource, ReadOptions } from './source.ts';
