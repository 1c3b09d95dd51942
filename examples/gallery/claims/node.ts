/** What examples/gallery/claims.mjs runs in Node: all experiments, and the backend. */
export { startWasm } from '../../wasm.js';
export { claims, measure } from './claims.ts';
export { SEEDS, verdictOf } from './verdict.ts';
