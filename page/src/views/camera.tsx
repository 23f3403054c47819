/** A changed camera on the examples: accuracy falls, comes back by adaptation, and junk is refused. */
import { computed, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { postImages, type Schemas } from "../api/client";
import { type Examples, loadExamples, measure, type Measurement } from "../camera/examples";
import { type Camera, countOf, draw, GREY, junk, npy, part, SAME, seenBy } from "../camera/pixels";
import { rollBack } from "../operations";
import { refresh, showing } from "../state";
import { outcomeOf, percent } from "../words";

const BATCH = 32;
const POSTED = 256;
const JUNK = 64;
const SHOWN = 8;

interface Line {
  text: string;
  version: number;
  accuracy: number;
  alarm: boolean;
}

const examples = signal<Examples | null>(null);
const camera = signal<Camera>(SAME);
/** The first examples as the camera sees them, and those on which accuracy is measured. */
const shown = computed(() => examples.value && seenBy(camera.value, part(examples.value.measured, 0, SHOWN)));
const seen = computed(() => examples.value && seenBy(camera.value, examples.value.measured));
const measured = signal<Measurement | null>(null);
const story = signal<Line[]>([]);
const busy = signal("");

const KNOBS: { name: keyof Camera; low: number; high: number; step: number; unit: string }[] = [
  { name: "contrast", low: 0.1, high: 2, step: 0.05, unit: "×" },
  { name: "brightness", low: -100, high: 100, step: 5, unit: "" },
  { name: "noise", low: 0, high: 80, step: 5, unit: "" },
  { name: "blur", low: 0, high: 3, step: 1, unit: "px" },
];

async function tell(text: string, alarm = false): Promise<void> {
  const lent = examples.value;
  if (!lent || !seen.value) return;
  const found = await measure(seen.value, lent.labels);
  measured.value = found;
  if (text) story.value = [...story.value, { text, alarm, ...found }];
}

async function working(name: string, work: () => Promise<unknown>): Promise<void> {
  if (busy.value) return;
  busy.value = name;
  await showing(work);
  busy.value = "";
}

let due: ReturnType<typeof setTimeout> | undefined;

function turn(next: Camera, text = ""): void {
  camera.value = next;
  clearTimeout(due);
  due = setTimeout(() => void working("measure", () => tell(text)), 200);
}

const outcome = (result: Schemas["AdaptResult"]) => {
  const parts = [`${result.admitted} admitted`];
  if (result.admitted > result.received) parts[0] += ", those that were held before among them";
  if (result.alarm) parts.push(result.alarm);
  if (result.committed) parts.push(outcomeOf(result.committed));
  return parts.join("; ");
};

const adapt = () =>
  working("adapt", async () => {
    const lent = examples.value;
    if (!lent) return;
    const count = Math.min(POSTED, countOf(lent.unlabelled));
    const changed = seenBy(camera.value, part(lent.unlabelled, 0, count), 2);
    for (let first = 0; first < count; first += BATCH) {
      const size = Math.min(BATCH, count - first);
      const result = await postImages<Schemas["AdaptResult"]>("/adapt", npy(part(changed, first, size)));
      if (result.committed) await refresh();
      await tell(`${first + size} unlabelled images posted: ${outcome(result)}`, Boolean(result.alarm));
    }
  });

const sendJunk = () =>
  working("junk", async () => {
    const lent = examples.value;
    if (!lent) return;
    const result = await postImages<Schemas["AdaptResult"]>("/adapt", npy(junk(lent.measured, JUNK, Date.now())));
    await tell(`${JUNK} images of noise posted: ${outcome(result)}`, true);
  });

const goBack = () =>
  working("back", async () => {
    await rollBack(0, "tried on the page");
    await tell("rolled back to version 0");
    await refresh();
  });

function Picture({ number }: { number: number }) {
  const place = useRef<HTMLCanvasElement>(null);
  const images = shown.value;
  useEffect(() => {
    if (place.current && images) draw(place.current, images, number);
  }, [images, number]);
  const label = examples.value?.labels[number] ?? "";
  return <canvas ref={place} role="img" aria-label={`example of class ${label}`} />;
}

export function ChangedCamera() {
  useEffect(() => {
    void working("load", async () => {
      examples.value ??= await loadExamples();
      if (examples.value && !measured.value) await tell("the camera that the model was exported for");
    });
  }, []);
  if (!examples.value) return null;
  const accuracy = measured.value;
  return (
    <section aria-labelledby="camera-title" class="card wide">
      <h2 id="camera-title">A changed camera</h2>
      <p class="hint">
        {examples.value.labels.length} labelled examples, as another camera would see them. Their labels stay in this
        page, and the service adapts to other images than these.
      </p>
      <div class="camera">
        <div class="pictures">
          {Array.from({ length: SHOWN }, (_, number) => (
            <Picture key={number} number={number} />
          ))}
        </div>
        <div class="accuracy" role="status">
          <strong data-testid="accuracy">{accuracy ? percent(accuracy.accuracy) : "…"}</strong>
          <span>right, by version {accuracy?.version ?? "…"}</span>
          <meter min={0} max={1} value={accuracy?.accuracy ?? 0} aria-label="accuracy on the examples" />
        </div>
        <div class="knobs">
          {KNOBS.map(({ name, low, high, step, unit }) => (
            <label key={name}>
              <span>
                {name} <output>{`${Math.round(camera.value[name] * 100) / 100}${unit}`}</output>
              </span>
              <input
                type="range"
                min={low}
                max={high}
                step={step}
                value={camera.value[name]}
                onInput={(event) => turn({ ...camera.value, [name]: Number(event.currentTarget.value) })}
              />
            </label>
          ))}
        </div>
        <div class="buttons">
          <button type="button" disabled={Boolean(busy.value)} onClick={() => turn(GREY, "a third of the contrast, on grey")}>
            Change the camera
          </button>
          <button type="button" class="main" disabled={Boolean(busy.value)} onClick={() => void adapt()}>
            Adapt with {POSTED} unlabelled images
          </button>
          <button type="button" disabled={Boolean(busy.value)} onClick={() => void sendJunk()}>
            Send junk
          </button>
          <button type="button" disabled={Boolean(busy.value)} onClick={() => void goBack()}>
            Roll back to version 0
          </button>
          <button type="button" disabled={Boolean(busy.value)} onClick={() => turn(SAME, "the first camera again")}>
            First camera
          </button>
        </div>
      </div>
      <ol class="story" aria-label="What happened" aria-live="polite">
        {story.value.map((line, number) => (
          <li key={number} class={line.alarm ? "alarm" : ""}>
            <b>{percent(line.accuracy)}</b> <span>version {line.version}</span> {line.text}
          </li>
        ))}
      </ol>
    </section>
  );
}
