/** The module's exports. Addresses are in bytes, in a memory that the host owns; sizes are in values. */
export { coefficientsOf, describe, formSize, sumsOf } from './form';
export { parameterGradients, rowsBackward, rowsForward } from './rows';
export {
  clearSums, columnAffine, columnCoefficients, columnGradAffine, columnGradCoefficients, columnGradSums, columnMeans,
  columnMoments, columnsBackward, columnsForward,
} from './columns';
