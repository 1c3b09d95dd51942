/** What to paint: one of three photos, a picture of the reader's, or what the camera sees. */
import { given, keep, refuse, register } from '../shared/address.ts';
import { element } from '../shared/dom.ts';
import { loadImage, photos } from '../shared/photos.ts';
import { type Camera, openCamera } from './camera.ts';
import type { Source } from './picture.ts';

const NAMES = { chelsea: 'A cat', astronaut: 'An astronaut', coffee: 'A cup of coffee' };
type Photo = keyof typeof photos;
const isPhoto = (name: string | null): name is Photo => name !== null && name in photos;

export interface Sources {
  readonly element: HTMLElement;
  /** Settles when the first photo is loaded. */
  readonly ready: Promise<void>;
  /** The last one chosen, once it is loaded. */
  readonly source: Source | undefined;
  /** Whether it is a camera's. */
  readonly moving: boolean;
  /** Is called with every new choice. */
  onChange(listener: () => void): void;
}

export async function loadPhoto(name: Photo): Promise<Source> {
  const image = await loadImage(photos[name]);
  return { image, width: image.naturalWidth, height: image.naturalHeight };
}

/** The first photo, or that of the address (`?photo=coffee`), is chosen at once. */
export function sources(): Sources {
  const wanted = given('photo');
  const first: Photo = isPhoto(wanted) ? wanted : 'chelsea';
  if (wanted !== null && !isPhoto(wanted)) refuse('photo', `a photo is one of ${Object.keys(NAMES).join(', ')}`, first);
  /** The last of the photos: pictures of the reader's own are in no link. */
  let photo = first;
  register('photo', () => photo);
  let still: Source | undefined;
  let camera: Camera | undefined;
  // Permission and decoding take their time: what was asked for last counts.
  let choice = 0;
  const listeners: (() => void)[] = [];

  const line = element('output', { className: 'message', 'aria-live': 'polite' });
  const photoButtons = (Object.keys(NAMES) as Photo[]).map((name) => {
    const picture = element('img', { src: photos[name], alt: '' });
    const properties = { type: 'button', name, title: NAMES[name], ariaLabel: NAMES[name], className: 'photo' };
    const button = element('button', properties, picture);
    button.addEventListener('click', () => {
      photo = name;
      keep('photo');
      choose(button, () => loadPhoto(name));
    });
    return button;
  });
  const cameraButton = element('button', { type: 'button', name: 'camera', ariaPressed: 'false' }, 'Camera');
  const file = element('input', { type: 'file', accept: 'image/*', name: 'upload' });
  const upload = element('label', { className: 'upload' }, 'Your picture', file);

  function show(pressed: HTMLElement | undefined, message = ''): void {
    for (const button of [...photoButtons, cameraButton]) button.ariaPressed = String(button === pressed);
    cameraButton.textContent = pressed === cameraButton ? 'Stop the camera' : 'Camera';
    line.textContent = message;
  }

  function closeCamera(): void {
    camera?.close();
    camera = undefined;
  }

  async function choose(pressed: HTMLElement | undefined, get: () => Promise<Source>): Promise<void> {
    const mine = ++choice;
    closeCamera();
    show(pressed);
    try {
      const loaded = await get();
      if (mine !== choice) return;
      still = loaded;
    } catch {
      if (mine === choice) show(undefined, 'The browser cannot read this file as a picture.');
      return;
    }
    for (const listener of listeners) listener();
  }

  /** Keeps the last frame as the picture. */
  function stopCamera(message?: string): void {
    choice++;
    if (camera) still = frozen(camera.source);
    closeCamera();
    show(undefined, message);
    for (const listener of listeners) listener();
  }

  async function startCamera(): Promise<void> {
    const mine = ++choice;
    const before = photoButtons.find(({ ariaPressed }) => ariaPressed === 'true');
    show(cameraButton, 'Waiting for the camera ...');
    try {
      const opened = await openCamera(() => stopCamera('The camera has ended.'));
      if (mine !== choice) return opened.close();
      camera = opened;
    } catch (error) {
      if (mine === choice) show(before, (error as Error).message);
      return;
    }
    show(cameraButton);
    for (const listener of listeners) listener();
  }

  cameraButton.addEventListener('click', () => {
    if (cameraButton.ariaPressed === 'true') stopCamera();
    else startCamera();
  });
  file.addEventListener('change', () => {
    const [chosen] = file.files ?? [];
    file.value = ''; // the same file can be chosen again
    if (chosen) choose(undefined, () => loadFile(chosen));
  });
  addEventListener('pagehide', () => camera && stopCamera());
  const firstButton = photoButtons.find(({ name }) => name === first);
  const ready = choose(firstButton, () => loadPhoto(first));

  return {
    element: element('div', { className: 'sources' }, ...photoButtons, upload, cameraButton, line),
    ready,
    get source() {
      return camera?.source ?? still;
    },
    get moving() {
      return camera !== undefined;
    },
    onChange: (listener) => void listeners.push(listener),
  };
}

async function loadFile(file: File): Promise<Source> {
  const image = await createImageBitmap(file);
  return { image, width: image.width, height: image.height };
}

/** A copy that stays when the camera is gone. */
function frozen({ image, width, height, mirrored = false }: Source): Source {
  const canvas = element('canvas', { width, height });
  canvas.getContext('2d')?.drawImage(image, 0, 0);
  return { image: canvas, width, height, mirrored };
}
