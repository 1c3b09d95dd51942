/**
 * Federated training: three clients, each a process of its own with digits that only it has, and no client has all ten. After each
 * round their models are merged: weights are averaged, and the statistics of batch normalization become those of all digits
 * together. `node examples/federated/main.js --help` lists the options.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { mergeStatistics } from 'tfjs-normalizations/surgery';
import { count, parse, run } from '../command-line.js';
import { useBackend } from '../quickstart/backend.js';
import { loadDigits } from '../quickstart/data.js';
import { test } from '../quickstart/train.js';
import { CLIENTS, newModel } from './tasks.js';
import { SEED, weightsOf, withWeights } from './weights.js';

const DEFAULTS = { rounds: '8', samples: '3000' };
const HELP = `Trains one network on digits that are spread over three processes.

  node examples/federated/main.js [options]

  --rounds N       how often the clients train and are merged (${DEFAULTS.rounds})
  --samples N      digits of all clients together, at most 9000 (${DEFAULTS.samples})
  --help           this text`;

async function main(args) {
  const options = parse(args, DEFAULTS, 'node examples/federated/main.js --rounds 4');
  if (options.help) {
    console.log(HELP);
    return;
  }
  const [rounds, samples] = [count('--rounds', options.rounds, 1000), count('--samples', options.samples, 9000)];
  await useBackend('wasm');
  const { test: digits } = loadDigits(samples, SEED);
  const clients = CLIENTS.map((labels) => startClient(labels, samples));
  let model = newModel();
  try {
    console.log(
      `Accuracy on all ten digits${CLIENTS.map((labels) => `   client with ${labels.join('')}`).join('')}   merged`,
    );
    for (let round = 1; round <= rounds; round++) {
      const answers = await Promise.all(clients.map((ask) => ask({ task: 'train', weights: weightsOf(model) })));
      model = await printed(`round ${round}`, model, answers, digits);
    }
    // The statistics are still those of the clients' own weights: taken anew with the merged ones, they are exact.
    const answers = await Promise.all(clients.map((ask) => ask({ task: 'recalibrate', weights: weightsOf(model) })));
    await printed('recalibrated', model, answers, digits);
  } finally {
    for (const ask of clients) ask.end();
  }
}

/** Merges the models of all clients into a new one, in the place of `model`, and prints how many digits each of them recognizes. */
async function printed(title, model, answers, digits) {
  const models = answers.map(({ weights }) => withWeights(newModel(), weights));
  const { model: merged } = await mergeStatistics(
    models,
    answers.map(({ count }) => count),
  );
  const accuracies = [...models, merged].map((one) => {
    one.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    return `${(100 * test(one, digits)).toFixed(1)} %`;
  });
  console.log(`${title.padEnd(26)}${accuracies.map((accuracy) => accuracy.padStart(15)).join('')}`);
  for (const one of [model, ...models]) one.dispose();
  return merged;
}

/** Starts a process for a client; what it gives asks the client for something, and `end` ends the process. */
function startClient(labels, samples) {
  const path = fileURLToPath(new URL('client.js', import.meta.url));
  const client = fork(path, [JSON.stringify({ labels, samples })], { serialization: 'advanced' });
  const failed = once(client, 'exit').then(([code]) => {
    throw new Error(`the client with ${labels.join('')} ended with code ${code}`);
  });
  failed.catch(() => {}); // It ends when it is told to, too.
  const ask = async (question) => {
    client.send(question);
    const [answer] = await Promise.race([once(client, 'message'), failed]);
    return answer;
  };
  return Object.assign(ask, { end: () => client.disconnect() });
}

await run('federated', main);
