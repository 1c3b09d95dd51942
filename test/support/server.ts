/** Serves a few strings and folders over http://localhost, which browsers treat as a secure context. */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/**
 * @param files texts by path, for instance `{'/': '<!doctype html>'}`
 * @param folders folders by path prefix, for instance `{'/models/': '/tmp/models'}`
 * @param headers sent with each of them
 */
export async function serve(
  files: Record<string, string>,
  folders: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<{ url: string; server: Server }> {
  const find = async (path: string): Promise<string | Buffer> => {
    if (Object.hasOwn(files, path)) return files[path]!;
    const prefix = Object.keys(folders).find((start) => path.startsWith(start));
    if (prefix === undefined) throw new Error(`nothing at ${path}`);
    return readFile(join(folders[prefix]!, normalize(`/${path.slice(prefix.length)}`)));
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    find(path).then(
      (body) =>
        response.setHeader('content-type', TYPES[extname(path) || '.html'] ?? 'application/octet-stream').end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://localhost:${(server.address() as AddressInfo).port}`, server };
}
