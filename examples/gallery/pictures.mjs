/**
 * The pictures of the gallery, made from its pages as they are: `npm run pictures`.
 *
 *     screenshot.jpg      the start page, for the README and for links to the gallery
 *     critic.webp         a recorded run that moves, for the README: browsers, GitHub and npm play it
 *     thumbnails/*.jpg    one of each page, for the start page
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { packageFolder } from '../../test/support/on-demand.mjs';
import { path, withGallery } from './built-gallery.mjs';

const JPEG = { type: 'jpeg', quality: 82 };
/** Of a thumbnail, and the page's width of which it is made. */
const [WIDTH, HEIGHT, PAGE_WIDTH] = [600, 375, 960];
const MOST_BYTES = 2e5;
const folders = readdirSync(path('.')).filter((folder) => existsSync(path(`${folder}/index.html`)));

await withGallery(async (open) => {
  const still = { reducedMotion: 'reduce' };
  const start = await open('', {}, { ...still, viewport: { width: 1280, height: 640 } });
  await write('screenshot.jpg', await start.screenshot(JPEG));

  await mkdir(path('thumbnails'), { recursive: true });
  for (const folder of folders) {
    const context = { viewport: { width: PAGE_WIDTH, height: 1400 }, deviceScaleFactor: WIDTH / PAGE_WIDTH, ...still };
    const page = await open(folder, {}, context);
    await page.waitForTimeout(1500); // charts take the width that they get
    const shown = page.locator('main .figures, main .pictures').first();
    const { x, y, width } = await shown.boundingBox();
    const clip = { x, y, width, height: (width * HEIGHT) / WIDTH };
    await write(`thumbnails/${folder}.jpg`, await page.screenshot({ ...JPEG, clip }));
    await page.close();
  }

  const critic = await open('critic', {}, { viewport: { width: 460, height: 900 }, ...still });
  const frames = [];
  const count = await critic.evaluate(() => globalThis.gallery.recordedFrames.length);
  for (let i = 0; i < count; i++) {
    await critic.evaluate((i) => globalThis.gallery.show(globalThis.gallery.recordedFrames[i]), i);
    frames.push(await critic.locator('.planes').screenshot());
  }
  const sharp = createRequire(import.meta.url)(packageFolder('sharp'));
  const delay = frames.map((_, i) => (i === frames.length - 1 ? 2500 : 220)); // milliseconds
  const bytes = await sharp(frames, { join: { animated: true } })
    .webp({ delay, quality: 80 })
    .toBuffer();
  if (bytes.length > MOST_BYTES)
    throw new Error(`critic.webp has ${bytes.length} bytes, which is too many for a README`);
  await write('critic.webp', bytes);
});

async function write(file, bytes) {
  await writeFile(path(file), bytes);
  console.log(`${file}, ${Math.round(bytes.length / 1024)} KB`);
}
