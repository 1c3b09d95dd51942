/**
 * An animated PNG of the frames of a browser: browsers and GitHub show it wherever they show a picture. The frames are PNG files
 * already, and stay compressed as they are: their data is put into the chunks that an animation has.
 * https://www.w3.org/TR/png-3/#apng-frame-based-animation
 */
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * @param {Buffer[]} frames PNG files of one size
 * @param {number} delay milliseconds that each is shown
 * @param {number} rest milliseconds that the last is shown
 * @returns {Buffer}
 */
export function animatedPng(frames, delay, rest) {
  let sequence = 0;
  const [header] = chunksOf(frames[0]);
  const body = frames.flatMap((frame, i) => {
    const own = chunksOf(frame);
    if (!own[0].data.equals(header.data))
      throw new Error('frames of an animation have one size and one kind of pixels');
    const data = own.filter(({ type }) => type === 'IDAT').map((one) => one.data);
    const control = Buffer.alloc(26);
    control.writeUInt32BE(sequence++, 0);
    header.data.copy(control, 4, 0, 8); // width and height
    control.writeUInt16BE(i === frames.length - 1 ? rest : delay, 20);
    control.writeUInt16BE(1000, 22); // of a second
    const parts = data.map((bytes) => {
      if (i === 0) return chunk('IDAT', bytes);
      const number = Buffer.alloc(4);
      number.writeUInt32BE(sequence++);
      return chunk('fdAT', Buffer.concat([number, bytes]));
    });
    return [chunk('fcTL', control), ...parts];
  });
  const animation = Buffer.alloc(8); // plays for ever: 0
  animation.writeUInt32BE(frames.length);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header.data),
    chunk('acTL', animation),
    ...body,
    chunk('IEND', Buffer.alloc(0)),
  ]);
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
