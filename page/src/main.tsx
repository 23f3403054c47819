/** The page: what is served, and five views of it. */
import { signal } from "@preact/signals";
import { render } from "preact";
import { problem, start } from "./state";
import "./style.css";
import { Adapt } from "./views/adapt";
import { ChangedCamera } from "./views/camera";
import { DriftView } from "./views/drift";
import { Header, KeyForm } from "./views/header";
import { History } from "./views/history";
import { Predict } from "./views/predict";
import { Story } from "./views/story";
import { Traffic } from "./views/traffic";
import { Versions } from "./views/versions";

const VIEWS = [
  { name: "try", title: "Try" },
  { name: "versions", title: "Versions" },
  { name: "drift", title: "Drift" },
  { name: "traffic", title: "Traffic" },
  { name: "history", title: "History" },
] as const;

const place = signal(location.hash);
addEventListener("hashchange", () => (place.value = location.hash));

function View({ name, number }: { name: string; number: string | undefined }) {
  switch (name) {
    case "versions":
      return number && /^\d+$/.test(number) ? <Story number={Number(number)} /> : <Versions />;
    case "drift":
      return <DriftView />;
    case "traffic":
      return <Traffic />;
    case "history":
      return <History />;
    default:
      return (
        <>
          <ChangedCamera />
          <Predict />
          <Adapt />
        </>
      );
  }
}

function Page() {
  const [, name = "try", number] = place.value.split("/");
  const chosen = VIEWS.some((view) => view.name === name) ? name : "try";
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        document.getElementById("main")?.focus();
      }}>
        Skip to the content
      </a>
      <Header />
      <nav aria-label="Views">
        {VIEWS.map((view) => (
          <a key={view.name} href={`#/${view.name}`} aria-current={view.name === chosen ? "page" : undefined}>
            {view.title}
          </a>
        ))}
        <a href="docs">API</a>
      </nav>
      <main id="main" tabIndex={-1}>
        {problem.value && (
          <p class="problem" role="alert">
            {problem.value}
          </p>
        )}
        <KeyForm />
        <View name={chosen} number={number} />
      </main>
    </>
  );
}

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<Page />, root);
  start();
}
