/** The clients as the page sees them. */
import { CLIENTS } from '../../federated/tasks.js';
import type { Answer, Question, Start } from './messages.ts';

type Weights = Exclude<Answer, { error: string }>;

export interface Client {
  ask(question: Question): Promise<Weights>;
  end(): void;
}

/** Starts a worker for each client. */
export const startClients = (samples: number): Client[] =>
  CLIENTS.map((labels: readonly number[]) => {
    const worker = new Worker(new URL('./client.ts', import.meta.url), { type: 'module' });
    worker.postMessage({ labels, samples } satisfies Start);
    return {
      ask: (question) =>
        new Promise((resolve, reject) => {
          worker.onmessage = ({ data }: MessageEvent<Answer>) =>
            'error' in data ? reject(new Error(data.error)) : resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message || 'a client could not be started'));
          worker.postMessage(question);
        }),
      end: () => worker.terminate(),
    };
  });
