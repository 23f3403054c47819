/** Images on which a version and its parent disagree, labelled by one key each. */
import { useEffect, useState } from "preact/hooks";
import { data, ofTarget, said, type Schemas } from "../api/client";
import { refresh } from "../state";

type Found = Schemas["EvidenceInfo"];

const KEYS: { key: string; means: "parent" | "version" | "neither" }[] = [
  { key: "1", means: "parent" },
  { key: "2", means: "version" },
  { key: "3", means: "neither" },
];

export function Evidence({ number }: { number: number }) {
  const [found, setFound] = useState<Found | null>(null);
  const [problem, setProblem] = useState("");
  const [passed, setPassed] = useState(0);
  useEffect(() => {
    setFound(null);
    setPassed(0);
    data(ofTarget().GET("/versions/{number}/evidence", { params: { path: { number } } })).then(setFound, (error: unknown) =>
      setProblem(said(error)),
    );
  }, [number]);
  const image = found?.images[passed];
  const label = async (means: (typeof KEYS)[number]["means"]) => {
    if (!image) return;
    if (means === "neither") {
      setPassed(passed + 1);
      return;
    }
    try {
      const body = { labels: { [image.id]: image[means] } };
      setFound(await data(ofTarget().POST("/versions/{number}/evidence", { params: { path: { number } }, body })));
      setPassed(0);
      setProblem("");
      await refresh();
    } catch (error) {
      setProblem(said(error));
    }
  };
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
      const pressed = KEYS.find(({ key }) => key === event.key);
      if (pressed) void label(pressed.means);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  return (
    <section aria-labelledby="evidence-title">
      <h3 id="evidence-title">Evidence: your labels</h3>
      {problem && <p role="alert">{problem}</p>}
      {found && (
        <p role="status">
          <b>{found.verdict}</b> after {found.labels} labels: {found.reason}
        </p>
      )}
      {found && !image && (
        <p class="hint">No more images on which version {found.version} and its parent {found.parent} disagree.</p>
      )}
      {image && found && (
        <div class="evidence">
          <img src={`data:image/png;base64,${image.png}`} alt="What does this image show?" />
          <div class="buttons">
            <button type="button" onClick={() => void label("parent")}>
              <kbd>1</kbd> {image.parent} <small>as version {found.parent} says</small>
            </button>
            <button type="button" onClick={() => void label("version")}>
              <kbd>2</kbd> {image.version} <small>as version {found.version} says</small>
            </button>
            <button type="button" onClick={() => void label("neither")}>
              <kbd>3</kbd> pass over
            </button>
          </div>
          <p class="hint">{found.images.length} images are left. A version that the labels show to be worse is rolled back.</p>
        </div>
      )}
    </section>
  );
}
