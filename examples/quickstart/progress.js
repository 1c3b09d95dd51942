/** Progress of a training: a bar with the time left on a terminal, a few lines elsewhere. */
import { SingleBar } from 'cli-progress';

const LINES = 4;

/** @param {string} label what is being trained */
export function progress(label) {
  return process.stdout.isTTY ? bar(label) : lines(label);
}

function bar(label) {
  const bar = new SingleBar({
    stream: process.stdout,
    format: `${label.padEnd(14)} [{bar}] {percentage} %  loss {loss}  {eta_formatted} left`,
    autopadding: true,
    barsize: 24,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    hideCursor: true,
  });
  const quit = () => {
    bar.stop(); // shows the cursor again
    process.exit(130);
  };
  return {
    start(steps) {
      process.once('SIGINT', quit);
      bar.start(steps, 0, { loss: '-' });
    },
    step: (step, loss) => bar.update(step, { loss: loss.toFixed(2) }),
    stop() {
      process.off('SIGINT', quit);
      bar.stop();
    },
  };
}

function lines(label) {
  let steps = 0;
  let begun = 0;
  const line = (step) => Math.floor((step * LINES) / steps);
  return {
    start(count) {
      steps = count;
      begun = performance.now();
    },
    step(step, loss) {
      if (line(step) === line(step - 1)) return;
      const left = ((performance.now() - begun) / step) * (steps - step);
      const count = String(step).padStart(String(steps).length);
      console.log(`${label}: step ${count} of ${steps}, loss ${loss.toFixed(2)}, ${Math.round(left / 1000)} s left`);
    },
    stop() {},
  };
}
