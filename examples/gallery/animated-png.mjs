/**
 * An animated PNG of the frames of a browser: browsers, GitHub and npm show it wherever they show a picture. The frames share a
 * palette of 256 colours, so that it is a quarter as large as with all colours.
 * https://www.w3.org/TR/png-3/#apng-frame-based-animation
 */
import { deflateSync, inflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const RGB = 3;
/** Steps between 0 and 255 that a channel is rounded to. */
const STEPS = 31;

/**
 * @param {Buffer[]} frames PNG files of one size, of 8 bits in red, green and blue
 * @param {number} delay milliseconds that each is shown
 * @param {number} rest milliseconds that the last is shown
 * @returns {Buffer}
 */
export function animatedPng(frames, delay, rest) {
  const pictures = frames.map(pixelsOf);
  const [{ width, height }] = pictures;
  if (pictures.some((one) => one.width !== width || one.height !== height))
    throw new Error('frames of an animation have one size');
  const palette = paletteOf(pictures);
  let sequence = 0;
  const body = pictures.flatMap(({ pixels }, i) => {
    const control = Buffer.alloc(26);
    control.writeUInt32BE(sequence++, 0);
    control.writeUInt32BE(width, 4);
    control.writeUInt32BE(height, 8);
    control.writeUInt16BE(i === frames.length - 1 ? rest : delay, 20);
    control.writeUInt16BE(1000, 22); // of a second
    const data = deflateSync(indexed(pixels, width, height, palette), { level: 9 });
    if (i === 0) return [chunk('fcTL', control), chunk('IDAT', data)];
    const number = Buffer.alloc(4);
    number.writeUInt32BE(sequence++);
    return [chunk('fcTL', control), chunk('fdAT', Buffer.concat([number, data]))];
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8); // eight bits that number a colour of the palette
  const animation = Buffer.alloc(8); // plays for ever: 0
  animation.writeUInt32BE(frames.length);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('acTL', animation),
    chunk('PLTE', Buffer.from(palette.flatMap((color) => [color >> 16, (color >> 8) & 255, color & 255]))),
    ...body,
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Width, height and the bytes of red, green and blue of a PNG file. */
function pixelsOf(png) {
  const chunks = chunksOf(png);
  const [{ data: header }] = chunks;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  if (header[8] !== 8 || header[9] !== 2) throw new Error('frames of an animation have 8 bits in red, green and blue');
  const lines = inflateSync(Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data)));
  const row = width * RGB;
  const pixels = Buffer.alloc(row * height);
  for (let y = 0; y < height; y++) {
    const predict = PREDICTORS[lines[y * (row + 1)]];
    for (let x = 0; x < row; x++) {
      const at = y * row + x;
      const left = x < RGB ? 0 : pixels[at - RGB];
      const above = y === 0 ? 0 : pixels[at - row];
      const corner = x < RGB || y === 0 ? 0 : pixels[at - row - RGB];
      pixels[at] = lines[y * (row + 1) + 1 + x] + predict(left, above, corner);
    }
  }
  return { width, height, pixels };
}

/** What the five filters of PNG take each byte to be, of which the file holds the difference. */
const PREDICTORS = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  (left, above, corner) => {
    const off = (value) => Math.abs(left + above - corner - value);
    return [left, above, corner].reduce((best, value) => (off(value) < off(best) ? value : best));
  },
];

const rounded = (value) => Math.round(Math.round((value / 255) * STEPS) * (255 / STEPS));
const colorAt = (pixels, at) => (rounded(pixels[at]) << 16) | (rounded(pixels[at + 1]) << 8) | rounded(pixels[at + 2]);

/** The 256 colours that are there most. */
function paletteOf(pictures) {
  const counts = new Map();
  for (const { pixels } of pictures) {
    for (let at = 0; at < pixels.length; at += RGB) {
      const color = colorAt(pixels, at);
      counts.set(color, (counts.get(color) ?? 0) + 1);
    }
  }
  return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, 256);
}

/** Lines of numbers of the palette's colours; one that it does not have becomes the nearest. */
function indexed(pixels, width, height, palette) {
  const numbers = new Map(palette.map((color, i) => [color, i]));
  const lines = Buffer.alloc((width + 1) * height); // each line begins with its filter: none
  for (let i = 0; i < width * height; i++) {
    const color = colorAt(pixels, i * RGB);
    if (!numbers.has(color)) numbers.set(color, nearest(color, palette));
    lines[i + Math.floor(i / width) + 1] = numbers.get(color);
  }
  return lines;
}

function nearest(color, palette) {
  const distance = (other) =>
    [16, 8, 0].reduce((sum, shift) => sum + (((color >> shift) & 255) - ((other >> shift) & 255)) ** 2, 0);
  return palette.reduce((best, other, i) => (distance(other) < distance(palette[best]) ? i : best), 0);
}

function chunksOf(png) {
  const chunks = [];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    chunks.push({ type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

function chunk(type, data) {
  const made = Buffer.alloc(12 + data.length);
  made.writeUInt32BE(data.length);
  made.write(type, 4, 'latin1');
  data.copy(made, 8);
  made.writeUInt32BE(checksum(made.subarray(4, 8 + data.length)), 8 + data.length);
  return made;
}

/** CRC-32, as the specification of PNG has it. */
function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
