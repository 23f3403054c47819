/** One image: dropped, pasted, chosen or taken by the camera; what the served version says of it. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { postImages, type Schemas } from "../api/client";
import { showing } from "../state";
import { Bars } from "./bars";
import { DropZone } from "./drop";

type Result = Schemas["PredictResult"];

const shown = signal<{ url: string; name: string } | null>(null);
const result = signal<Result | null>(null);
const filming = signal<MediaStream | null>(null);

async function predict(file: File): Promise<void> {
  if (shown.value) URL.revokeObjectURL(shown.value.url);
  shown.value = { url: URL.createObjectURL(file), name: file.name };
  result.value = null;
  result.value = (await showing(() => postImages<Result>("/predict", [file]))) ?? null;
}

async function film(): Promise<void> {
  await showing(async () => {
    filming.value = await navigator.mediaDevices.getUserMedia({ video: true });
  });
}

function stopFilming(): void {
  for (const track of filming.value?.getTracks() ?? []) track.stop();
  filming.value = null;
}

function Film({ stream }: { stream: MediaStream }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = stream;
    return stopFilming;
  }, [stream]);
  const take = () => {
    const from = video.current;
    if (!from) return;
    const canvas = document.createElement("canvas");
    canvas.width = from.videoWidth;
    canvas.height = from.videoHeight;
    canvas.getContext("2d")?.drawImage(from, 0, 0);
    canvas.toBlob((blob) => blob && void predict(new File([blob], "camera.png", { type: "image/png" })), "image/png");
  };
  return (
    <div class="film">
      <video ref={video} autoPlay muted playsInline aria-label="what the camera sees" />
      <div class="buttons">
        <button type="button" class="main" onClick={take}>
          Take the image
        </button>
        <button type="button" onClick={stopFilming}>
          Close the camera
        </button>
      </div>
    </div>
  );
}

export function Predict() {
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
      if (file) void predict(file);
    };
    addEventListener("paste", paste);
    return () => removeEventListener("paste", paste);
  }, []);
  const found = result.value?.predictions[0];
  return (
    <section aria-labelledby="predict-title" class="card">
      <h2 id="predict-title">Predict an image</h2>
      <DropZone id="predict-files" label="Drop or paste an image, or choose one" onFiles={(files) => files[0] && void predict(files[0])} />
      {filming.value ? (
        <Film stream={filming.value} />
      ) : (
        "mediaDevices" in navigator && (
          <button type="button" onClick={() => void film()}>
            Use the camera
          </button>
        )
      )}
      {shown.value && (
        <div class="prediction">
          <img src={shown.value.url} alt={shown.value.name} />
          <div role="status">
            {found && (
              <>
                <p>
                  <strong data-testid="label">{found.label}</strong> by version {result.value?.version}
                </p>
                <Bars what="probability" shares={Object.entries(found.probabilities)} />
              </>
            )}
          </div>
        </div>
      )}
    </section>
  );
}
