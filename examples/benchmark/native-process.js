/** The backend of @tensorflow/tfjs-node in a process of its own, so that it does not become that of this one. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setUpTfjsNode } from '../../test/support/setup-tfjs-node.mjs';

/**
 * The process has no --expose-gc: tensors are native memory that is freed when they are disposed, and a forced collection
 * slows down the calls that come after it, by up to a half.
 *
 * @param {'wall' | 'cpu'} clock
 * @throws where there is no @tensorflow/tfjs-node
 */
export async function startNative(clock) {
  const path = setUpTfjsNode();
  const env = { TF_CPP_MIN_LOG_LEVEL: '2', ...process.env }; // no news about the processor
  const child = fork(fileURLToPath(new URL('native.js', import.meta.url)), [path, clock], { env, execArgv: [] });
  const gone = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the process with @tensorflow/tfjs-node has ended (${signal ?? code})`);
  });
  gone.catch(() => {}); // it is to end at last
  const answer = async () => (await Promise.race([once(child, 'message'), gone]))[0];
  const { device } = await answer();
  return {
    device,
    ask: (what) => {
      child.send(what);
      return answer();
    },
    close: () => child.kill(),
  };
}
