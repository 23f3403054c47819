/** What is served, and whether the page is up to date. */
import { key, keyWanted, model, target } from "../api/client";
import { alarms, connected, health, info, nameOfDomain, now, serving, targets } from "../state";

function choose(name: string): void {
  target.value = name === "default" ? "" : name;
  const asked = new URLSearchParams(location.search);
  if (target.value) asked.set("target", target.value);
  else asked.delete("target");
  const query = asked.toString();
  history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
}

export function Header() {
  const found = health.value;
  const domain = now.value?.domain ?? info.value?.domain ?? 0;
  const last = alarms.value.at(-1);
  return (
    <header>
      <h1>{model.value || found?.model || "Reciprocal Normalization"}</h1>
      <dl class="facts">
        <div>
          <dt>target</dt>
          <dd>
            <select aria-label="target" value={target.value || "default"} onChange={(event) => choose(event.currentTarget.value)}>
              {(targets.value.length ? targets.value : ["default"]).map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          </dd>
        </div>
        <div>
          <dt>version</dt>
          <dd data-testid="serving">
            <a href={`#/versions/${serving.value}`}>{serving.value}</a>
          </dd>
        </div>
        <div>
          <dt>domain</dt>
          <dd>{nameOfDomain(domain) ?? domain}</dd>
        </div>
        <div>
          <dt>mode</dt>
          <dd data-testid="mode">
            {info.value?.mode ?? "…"}
            {info.value?.frozen && <strong class="frozen"> frozen</strong>}
          </dd>
        </div>
        <div>
          <dt>runs on</dt>
          <dd>{found?.provider?.replace("ExecutionProvider", "") ?? "…"}</dd>
        </div>
        <div>
          <dt>connection</dt>
          <dd class={connected.value ? "live" : "lost"}>{connected.value ? "live" : "not connected"}</dd>
        </div>
      </dl>
      {last && (
        <p class="alarm" role="status">
          Last alarm: <a href="#/history">{last.alarm ?? last.reason ?? "see the history"}</a>
        </p>
      )}
    </header>
  );
}

export function KeyForm() {
  if (!keyWanted.value) return null;
  return (
    <form
      class="card key"
      onSubmit={(event) => {
        event.preventDefault();
        const given = new FormData(event.currentTarget).get("key");
        keyWanted.value = false;
        key.value = String(given ?? "").trim();
      }}
    >
      <label>
        <span>This service needs a key. It is forgotten when the page is closed.</span>
        <input name="key" type="password" autoComplete="current-password" required />
      </label>
      <button type="submit" class="main">
        Use this key
      </button>
    </form>
  );
}
