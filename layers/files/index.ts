/** Models as files of other libraries. An entry of its own: who does not use it neither loads nor needs what it asks for. */
export { kerasFile, saveKeras } from './save-keras.ts';
