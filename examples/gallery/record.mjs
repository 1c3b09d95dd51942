/**
 * Records the runs that the pages of the gallery show before the reader trains: it opens each page of the built gallery in a headless
 * browser, presses the page's own button, waits, and writes what the page says into its folder.
 *
 *     npm run record                  all of them
 *     npm run record -- critic gates  those of these pages
 */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { BACKEND, path, withGallery } from './built-gallery.mjs';

/** Pages, the buttons to press where there are, and the files to write, each named as what the page exposes. */
const RUNS = [
  { page: 'style-transfer', file: 'recorded', settings: { size: 256 } },
  { page: 'critic', button: 'Train both', file: 'recorded' },
  { page: 'batch-size', button: 'Train', file: 'recorded' },
  { page: 'batch-size', button: 'Compare batch sizes', file: 'sweep' },
  { page: 'gates', button: 'Train', file: 'recorded' },
  { page: 'attention', button: 'Train both', file: 'recorded' },
  { page: 'reparameterization', button: 'Train all three', file: 'recorded' },
  { page: 'federated', button: 'Train', file: 'recorded' },
  { page: 'save-and-load', button: 'Train', file: 'recorded' },
];
const LONGEST = 40 * 60_000;

const wanted = process.argv.slice(2);
const runs = RUNS.filter(
  ({ page, file }) => wanted.length === 0 || wanted.some((one) => one === page || one === `${page}/${file}`),
);
if (runs.length === 0)
  throw new Error(`nothing to record; the pages are ${[...new Set(RUNS.map(({ page }) => page))].join(', ')}`);

await withGallery(async (open) => {
  for (const run of runs) await record(open, run);
});

async function record(open, { page: folder, button, file, settings: given = {} }) {
  const page = await open(folder, given);
  const text = button ? await runTask(page, folder, button) : await painted(page);
  const { settings, data } = await page.evaluate((file) => {
    const { gallery } = globalThis;
    return { settings: gallery.settings(), data: gallery[file]() };
  }, file);
  const recording = {
    date: new Date().toISOString().slice(0, 10),
    machine: cpus()[0].model.trim(),
    backend: BACKEND,
    settings,
    data,
  };
  const json = JSON.stringify(recording);
  await writeFile(path(`${folder}/${file}.json`), `${json}\n`);
  console.log(`  ${text}\n  ${file}.json, ${Math.round(json.length / 1024)} KB`);
  await page.close();
}

/** Presses a button, and waits until its work has ended well. Returns what the page says. */
async function runTask(page, folder, button) {
  const task = page.locator('.task', { has: page.getByRole('button', { name: button, exact: true }) });
  console.log(`${folder}: ${button} ...`);
  await task.getByRole('button', { name: button, exact: true }).click();
  await task.and(page.locator('[data-state="done"], [data-state="failed"]')).waitFor({ timeout: LONGEST });
  const text = await task.locator('output').textContent();
  if ((await task.getAttribute('data-state')) !== 'done') throw new Error(`${folder}: ${text}`);
  return text;
}

/** A page without a button paints by itself. */
async function painted(page) {
  await page.locator('canvas[data-pictures][data-state=done]').waitFor({ timeout: LONGEST });
  return page.locator('figcaption output').textContent();
}
