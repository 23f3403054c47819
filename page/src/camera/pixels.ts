/** Changes the pixels of images as another camera would, and writes them as an .npy array. */

export interface Camera {
  /** Factor of the differences from the middle grey. */
  contrast: number;
  /** Added to every value, in grey levels. */
  brightness: number;
  /** Standard deviation of the noise, in grey levels. */
  noise: number;
  /** Radius of the box that is averaged, in pixels. */
  blur: number;
}

export const SAME: Camera = { contrast: 1, brightness: 0, noise: 0, blur: 0 };
/** A third of the contrast, on a grey background. */
export const GREY: Camera = { contrast: 1 / 3, brightness: 5, noise: 0, blur: 0 };

const MIDDLE = 128;

/** Images of one size, one after another, each by rows with its channels side by side. */
export interface Images {
  height: number;
  width: number;
  channels: number;
  pixels: Uint8ClampedArray;
}

export const sizeOf = (images: Images) => images.height * images.width * images.channels;
export const countOf = (images: Images) => images.pixels.length / sizeOf(images);

/** Some of the images that follow one another; the pixels are shared. */
export function part(images: Images, first: number, count: number): Images {
  const size = sizeOf(images);
  return { ...images, pixels: images.pixels.subarray(first * size, (first + count) * size) };
}

/** Random numbers that are the same every time, evenly spread from 0 to 1 (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What another camera makes of images. */
export function seenBy(camera: Camera, images: Images, seed = 1): Images {
  const blurred = camera.blur > 0 ? blur(images, camera.blur) : images.pixels;
  const random = randomNumbers(seed);
  const pixels = new Uint8ClampedArray(blurred.length);
  for (let index = 0; index < blurred.length; index++) {
    let value = MIDDLE + ((blurred[index] ?? 0) - MIDDLE) * camera.contrast + camera.brightness;
    if (camera.noise > 0) {
      // Box and Muller; 1 - random() is never 0.
      value += camera.noise * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    }
    pixels[index] = value;
  }
  return { ...images, pixels };
}

function blur(images: Images, radius: number): Uint8ClampedArray {
  const { height, width, channels, pixels } = images;
  const result = new Uint8ClampedArray(pixels.length);
  const size = sizeOf(images);
  for (let first = 0; first < pixels.length; first += size) {
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let channel = 0; channel < channels; channel++) {
          let sum = 0;
          let count = 0;
          for (let row = Math.max(0, y - radius); row <= Math.min(height - 1, y + radius); row++)
            for (let column = Math.max(0, x - radius); column <= Math.min(width - 1, x + radius); column++) {
              sum += pixels[first + (row * width + column) * channels + channel] ?? 0;
              count++;
            }
          result[first + (y * width + x) * channels + channel] = sum / count;
        }
  }
  return result;
}

/** Images of noise, in the size of others. */
export function junk(like: Images, count: number, seed: number): Images {
  const random = randomNumbers(seed);
  const pixels = Uint8ClampedArray.from({ length: count * sizeOf(like) }, () => Math.floor(random() * 256));
  return { ...like, pixels };
}

/** The images as an .npy file of version 1: `(N, H, W, C)`, uint8. */
export function npy(images: Images): Uint8Array<ArrayBuffer> {
  const shape = [countOf(images), images.height, images.width, images.channels].join(", ");
  const described = `{'descr': '|u1', 'fortran_order': False, 'shape': (${shape}), }`;
  // Magic, version and length take 10 bytes, the line break one; the data begin at a multiple of 64.
  const header = `${described}${" ".repeat((64 - ((described.length + 11) % 64)) % 64)}\n`;
  const file = new Uint8Array(10 + header.length + images.pixels.length);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  file.set(new TextEncoder().encode(header), 10);
  file.set(images.pixels, 10 + header.length);
  return file;
}

/** Draws one image on a canvas. */
export function draw(canvas: HTMLCanvasElement, images: Images, number: number): void {
  const { height, width, channels } = images;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return;
  const shown = context.createImageData(width, height);
  const first = number * sizeOf(images);
  for (let place = 0; place < height * width; place++) {
    for (let channel = 0; channel < 3; channel++) {
      const from = first + place * channels + (channels === 1 ? 0 : channel);
      shown.data[place * 4 + channel] = images.pixels[from] ?? 0;
    }
    shown.data[place * 4 + 3] = 255;
  }
  context.putImageData(shown, 0, 0);
}
