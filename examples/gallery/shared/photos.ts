/** Three photographs, and how to load them. */
import astronaut from './photos/astronaut.png?url';
import chelsea from './photos/chelsea.png?url';
import coffee from './photos/coffee.png?url';

/** Their addresses. */
export const photos = { astronaut, chelsea, coffee };

export async function loadImage(address: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}
