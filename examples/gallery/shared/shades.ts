/** Values as colours, one pixel each, to be drawn larger. */
export type Color = readonly [red: number, green: number, blue: number];

export const BLUE: Color = [63, 125, 224];
export const ORANGE: Color = [228, 87, 46];

/** @param colorOf the colour of a value, and how much of it there is, from 0 to 1 */
export function shades(
  values: Float32Array,
  columns: number,
  colorOf: (value: number) => readonly [Color, number],
): OffscreenCanvas {
  const canvas = new OffscreenCanvas(columns, values.length / columns);
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  const image = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    const [color, share] = colorOf(value);
    image.data.set([...color, 255 * share], 4 * i);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}
