/** The reader's camera as a source of pictures. */
import { element } from '../shared/dom.ts';
import type { Source } from './picture.ts';

export interface Camera {
  /** What it sees at this moment. */
  readonly source: Source;
  /** Gives the camera back: its light goes out. */
  close(): void;
}

const REASONS: Readonly<Record<string, string>> = {
  NotAllowedError: 'The camera was refused. Allow it in the address bar of the browser, and try again.',
  NotFoundError: 'This device has no camera. A photo of yours does as well.',
  NotReadableError: 'The camera is in use by another program.',
};

/** @throws with a message for the reader */
export async function openCamera(onEnd: () => void): Promise<Camera> {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error('The browser lends its camera only to pages of https or localhost.');
  }
  const wanted = { video: { facingMode: 'user', width: { ideal: 640 } } };
  const stream = await navigator.mediaDevices.getUserMedia(wanted).catch((error: DOMException) => {
    throw new Error(REASONS[error.name] ?? `The camera does not start: ${error.message}`);
  });
  const video = element('video', { srcObject: stream, muted: true, playsInline: true });
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  const [track] = stream.getVideoTracks();
  track.addEventListener('ended', onEnd); // unplugged, or taken back by the browser; not after close()
  try {
    await video.play();
  } catch (error) {
    close();
    throw error;
  }
  const mirrored = track.getSettings().facingMode !== 'environment';
  return {
    get source() {
      return { image: video, width: video.videoWidth, height: video.videoHeight, mirrored };
    },
    close,
  };
}
