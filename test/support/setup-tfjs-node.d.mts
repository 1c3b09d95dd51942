/** The path from which `require` loads a working @tensorflow/tfjs-node; throws with the reason where there is none. */
export function setUpTfjsNode(): string;
