/** The module's exports. Addresses are in bytes, in a memory that the caller owns; sizes are in values. */
export { clearSums, coefficientsOf, condition, describe, formSize, sumsOf } from './form';
export { advance, parameterGradients, seek } from './parameters';
export { rowsForward } from './rows-forward';
export { rowsBackward } from './rows-backward';
export { columnAffine, columnCoefficients, columnMoments, columnsForward } from './columns-forward';
export {
  columnGradAffine, columnGradCoefficients, columnGradSums, columnMeans, columnsBackward,
} from './columns-backward';
export { powerIteration } from './power-iteration';
export { swapAxes } from './swap-axes';
export {
  clearConditions, conditionAffine, conditionCoefficients, conditionGradAffine, conditionGradCoefficients, conditionGradSums,
} from './conditions';
export { addArrays } from './sum';
