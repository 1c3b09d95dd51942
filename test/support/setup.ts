/** Runs in each worker before its tests: the matcher, and silence for one banner. */
import './matchers.ts';

const { warn } = console;
console.warn = (...words: unknown[]) => {
  if (!String(words[0]).includes('running TensorFlow.js in Node.js')) warn(...words);
};
