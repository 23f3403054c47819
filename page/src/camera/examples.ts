/** The labelled images that the service lends, and how well it labels them. */
import { data, ofService, postImages, type Schemas } from "../api/client";
import { type Images, npy, part } from "./pixels";

const PAGE = 250;
/** Images of one request: fewer than any service refuses to take at once, unless it was told to. */
const PART = 50;
/** Images on which accuracy is measured; they are never posted to /adapt. */
const MEASURED = 400;

export interface Examples {
  /** Images whose labels stay here, and which are posted without them. */
  unlabelled: Images;
  measured: Images;
  labels: string[];
}

/** Asks for the examples; null if the service has none. */
export async function loadExamples(): Promise<Examples | null> {
  const found: Schemas["ExampleImage"][] = [];
  let total = 1;
  while (found.length < total) {
    const query = { limit: PAGE, offset: found.length };
    const page = await data(ofService().GET("/examples", { params: { query } }));
    total = page.total;
    if (page.images.length === 0) break;
    found.push(...page.images);
  }
  if (found.length < 20) return null;
  const all = await decode(found.map((image) => image.png));
  const count = Math.min(MEASURED, Math.floor(found.length / 2));
  return {
    measured: part(all, 0, count),
    labels: found.slice(0, count).map((image) => image.label),
    unlabelled: part(all, count, found.length - count),
  };
}

async function decode(files: string[]): Promise<Images> {
  const bitmaps = await Promise.all(
    files.map((file) => {
      const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
      return createImageBitmap(new Blob([bytes], { type: "image/png" }));
    }),
  );
  const { width = 1, height = 1 } = bitmaps[0] ?? {};
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser cannot read images");
  // The type of a PNG file's pixels, in its header: 0 is grey.
  const channels = atob(files[0] ?? "").charCodeAt(25) === 0 ? 1 : 3;
  const pixels = new Uint8ClampedArray(bitmaps.length * width * height * channels);
  let place = 0;
  for (const bitmap of bitmaps) {
    context.drawImage(bitmap, 0, 0);
    const { data: shown } = context.getImageData(0, 0, width, height);
    for (let from = 0; from < shown.length; from += 4)
      for (let channel = 0; channel < channels; channel++) pixels[place++] = shown[from + channel] ?? 0;
  }
  return { height, width, channels, pixels };
}

export interface Measurement {
  version: number;
  accuracy: number;
}

/** Lets the service label images, and counts the right ones. */
export async function measure(images: Images, labels: string[]): Promise<Measurement> {
  let right = 0;
  let version = 0;
  for (let first = 0; first < labels.length; first += PART) {
    const some = labels.slice(first, first + PART);
    const result = await postImages<Schemas["PredictResult"]>("/predict", npy(part(images, first, some.length)));
    right += result.predictions.filter((prediction, place) => prediction.label === some[place]).length;
    version = result.version;
  }
  return { version, accuracy: right / labels.length };
}
