/**
 * Kernels for the backend 'tensorflow' of @tensorflow/tfjs-node: native ops of our own if they can be loaded, else compositions of
 * TensorFlow's ops. That package is not imported: kernels are registered under the backend's name, and it may be loaded later.
 *
 * @module tfjs-normalizations/kernels/node
 */
import type { KernelSet } from '../core/contract.ts';
import { register } from '../core/registry.ts';
import type { NodePort } from './backend.ts';
import { preferNative } from './choice.ts';
import { tensorflowOps } from './tensorflow-ops.ts';

/** The kernels of the `tensorflow` backend of tfjs-node; importing this registers them. */
export const node: KernelSet<NodePort> = preferNative(tensorflowOps);

register(node, 'tensorflow');
