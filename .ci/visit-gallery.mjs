/** Starts the gallery as the README says, fetches every page and script of it as a browser would, and stops it. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const STARTS_WITHIN = 120_000;

const server = spawn('npm', ['start'], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
try {
  const url = await address();
  const folders = readdirSync('examples/gallery', { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const pages = folders.map(({ name }) => name).filter((name) => name !== 'shared');
  await visit(new URL('index.html', url));
  for (const page of pages) await visit(new URL(`${page}/index.html`, url));
  console.log(`The gallery serves its ${pages.length} pages at ${url}`);
} finally {
  process.kill(-server.pid);
}

function address() {
  return new Promise((resolve, reject) => {
    let output = '';
    const timer = setTimeout(() => reject(new Error(`npm start gave no address:\n${output}`)), STARTS_WITHIN);
    server.on('exit', (code) => reject(new Error(`npm start has ended (${code}):\n${output}`)));
    server.stdout.on('data', (data) => {
      output += data;
      process.stdout.write(data);
      const url = /http:\/\/localhost:\d+\//.exec(stripVTControlCharacters(output))?.[0];
      if (!url) return;
      clearTimeout(timer);
      resolve(url);
    });
  });
}

/** A page and its scripts, which the server compiles when they are asked for. */
async function visit(page) {
  const html = await text(page);
  const scripts = [...html.matchAll(/<script[^>]* src="([^"]+)"/g)].map(([, src]) => src);
  if (scripts.length === 0) throw new Error(`${page} has no script`);
  for (const script of scripts) await text(new URL(script, page));
}

async function text(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}\n${await response.text()}`);
  return response.text();
}
