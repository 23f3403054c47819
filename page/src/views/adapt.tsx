/** Many images, or a folder: they move the statistics, and what is not admitted is shown with its reason. */
import { signal } from "@preact/signals";
import { postImages, type Schemas } from "../api/client";
import { info, refresh, showing } from "../state";
import { outcomeOf } from "../words";
import { DropZone } from "./drop";

const BATCH = 16;

interface NotAdmitted {
  name: string;
  url: string;
  kind: string;
  reason: string;
}

interface Progress {
  posted: number;
  all: number;
  admitted: number;
  said: string[];
  running: boolean;
}

const progress = signal<Progress | null>(null);
const held = signal<NotAdmitted[]>([]);

async function adapt(files: File[]): Promise<void> {
  const images = files.filter((file) => file.type.startsWith("image/"));
  if (images.length === 0 || progress.value?.running) return;
  for (const each of held.value) URL.revokeObjectURL(each.url);
  held.value = [];
  progress.value = { posted: 0, all: images.length, admitted: 0, said: [], running: true };
  await showing(async () => {
    for (let first = 0; first < images.length; first += BATCH) {
      const batch = images.slice(first, first + BATCH);
      note(batch, await postImages<Schemas["AdaptResult"]>("/adapt", batch));
    }
    await refresh();
  });
  if (progress.value) progress.value = { ...progress.value, running: false };
}

function note(batch: File[], result: Schemas["AdaptResult"]): void {
  const before = progress.value;
  if (!before) return;
  const said = [...before.said];
  if (result.alarm) said.push(result.alarm);
  if (result.rolled_back) said.push(`rolled back: ${result.rolled_back}`);
  if (result.committed) said.push(outcomeOf(result.committed));
  progress.value = {
    ...before,
    posted: before.posted + batch.length,
    admitted: before.admitted + result.admitted,
    said,
  };
  const refused = result.refused.flatMap(({ index, kind, reason }) => {
    const file = batch[index];
    return file ? [{ name: file.name, url: URL.createObjectURL(file), kind, reason }] : [];
  });
  held.value = [...held.value, ...refused];
}

export function Adapt() {
  const now = progress.value;
  const mode = info.value?.mode;
  return (
    <section aria-labelledby="adapt-title" class="card">
      <h2 id="adapt-title">Adapt to unlabelled images</h2>
      <DropZone id="adapt-files" many label="Drop many images or a folder, or choose images" onFiles={(files) => void adapt(files)} />
      <DropZone id="adapt-folder" many folder label="Choose a folder" onFiles={(files) => void adapt(files)} />
      {mode === "shadow" && <p class="hint">Mode shadow: good versions are proposed, and you promote them.</p>}
      {mode === "off" && <p class="hint">Mode off: nothing is adapted. Choose another mode above.</p>}
      {now && (
        <div role="status">
          <progress max={now.all} value={now.posted} aria-label="posted images" />
          <p>
            {now.posted} of {now.all} posted, {now.admitted} admitted, {held.value.length} not
          </p>
          <ul>
            {now.said.map((line, number) => (
              <li key={number}>{line}</li>
            ))}
          </ul>
        </div>
      )}
      {held.value.length > 0 && (
        <ul class="held">
          {held.value.slice(0, 100).map((each) => (
            <li key={each.url}>
              <img src={each.url} alt={each.name} loading="lazy" />
              <span>
                <b>{each.kind}</b> {each.reason}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
