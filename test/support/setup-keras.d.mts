/** The path of a python that can import Keras with JAX; throws with the reason where there is none. */
export function setUpKeras(): string;
