/**
 * Operations on a tensor and a number, such as x + 3, which Keras lists among the layers of a graph. They become `Rescaling`:
 * y = x * scale + offset.
 */
import { isRecord, isReference, nameOf, type Saved } from './saved.ts';

interface Rescaling {
  readonly scale: number;
  readonly offset: number;
}

/** By class in Keras 3 and by function in Keras 2: the operation with the number after x, and with the number before it. */
const OPERATIONS: Readonly<Record<string, readonly ((number: number) => Rescaling)[]>> = {
  Add: [offset, offset],
  Subtract: [(number) => offset(-number), (number) => ({ scale: -1, offset: number })],
  Multiply: [scale, scale],
  TrueDivide: [(number) => scale(1 / number)],
  Divide: [(number) => scale(1 / number)],
  '__operators__.add': [offset],
  'math.add': [offset],
  'math.subtract': [(number) => offset(-number)],
  'math.multiply': [scale],
  'math.truediv': [(number) => scale(1 / number)],
  'math.divide': [(number) => scale(1 / number)],
};

function offset(number: number): Rescaling {
  return { scale: 1, offset: number };
}

function scale(number: number): Rescaling {
  return { scale: number, offset: 0 };
}

/** The layer, or the `Rescaling` that it is. */
export function rescalingOf(layer: Saved): Saved {
  const { inbound_nodes: nodes = [] } = layer;
  const call = nodes.length === 1 ? (callOfKeras3(layer, nodes[0]) ?? callOfKeras2(layer, nodes[0])) : undefined;
  if (!call || !Number.isFinite(call.scale) || !Number.isFinite(call.offset)) return layer;
  const { node, ...options } = call;
  const name = nameOf(layer);
  return { class_name: 'Rescaling', name, config: { name, dtype: 'float32', ...options }, inbound_nodes: [node] };
}

type Call = Rescaling & { readonly node: unknown };

/** `{args: [tensor, number], kwargs: {}}` of an operation. */
function callOfKeras3({ class_name }: Saved, node: unknown): Call | undefined {
  const operation = Object.hasOwn(OPERATIONS, class_name) ? OPERATIONS[class_name] : undefined;
  if (!operation || !isRecord(node)) return undefined;
  const { args, kwargs = {} } = node;
  if (!Array.isArray(args) || args.length !== 2 || !isRecord(kwargs) || Object.keys(kwargs).length > 0)
    return undefined;
  const at = args.findIndex((one) => typeof one === 'number');
  const rescaling = operation[1 - at];
  return rescaling && { ...rescaling(args[at] as number), node: { args: [args[1 - at]], kwargs: {} } };
}

/** `[[layer, node, tensor, {y: number}]]` of a TFOpLambda. */
function callOfKeras2({ class_name, config }: Saved, node: unknown): Call | undefined {
  const name = String(config?.function);
  if (class_name !== 'TFOpLambda' || !Object.hasOwn(OPERATIONS, name) || !Array.isArray(node)) return undefined;
  const [input, ...others] = node as unknown[];
  if (others.length > 0 || !isReference(input)) return undefined;
  const [layer, index, tensor, kwargs] = input;
  const number = isRecord(kwargs) ? kwargs.y : undefined;
  const rescaling = OPERATIONS[name]?.[0];
  if (typeof number !== 'number' || !rescaling) return undefined;
  return { ...rescaling(number), node: [[layer, index, tensor, {}]] };
}
