/** The whole story of one version: where it comes from, what the guards measured, what became of it. */
import { useEffect, useState } from "preact/hooks";
import { data, ofTarget, said, type Schemas } from "../api/client";
import { promote, rollBack } from "../operations";
import { events, info, serving } from "../state";
import { decimal, time } from "../words";
import { Events } from "./events";
import { Evidence } from "./evidence";
import { Reason, reason } from "./operate";

type Version = Schemas["VersionInfo"];

function Actions({ version }: { version: Version }) {
  if (version.number === serving.value) return <p>This version is served.</p>;
  const rejected = version.status === "rejected";
  return (
    <div class="operate">
      <Reason />
      <div class="buttons">
        <button
          type="button"
          class="main"
          disabled={!version.kept || (rejected && !reason.value)}
          onClick={() => void promote(version.number, reason.value, rejected)}
        >
          {rejected ? "Promote although it was rejected" : "Promote"}
        </button>
        <button type="button" disabled={!version.kept || rejected} onClick={() => void rollBack(version.number, reason.value)}>
          Roll back to this version
        </button>
      </div>
      {rejected && <p class="hint">A rejected version is served only with a reason.</p>}
      {!version.kept && <p class="hint">Its moments are no longer kept, so it cannot be served.</p>}
    </div>
  );
}

export function Story({ number }: { number: number }) {
  const [version, setVersion] = useState<Version | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let current = true;
    setProblem("");
    data(ofTarget().GET("/versions/{number}", { params: { path: { number } } })).then(
      (found) => current && setVersion(found),
      (error: unknown) => current && setProblem(said(error)),
    );
    return () => {
      current = false;
    };
  }, [number, info.value]);
  if (problem) return <p role="alert">{problem}</p>;
  if (!version) return <p class="loading">Loading…</p>;
  const about = events.value.filter((event) => event.version === number || event.previous === number);
  const children = info.value?.versions.filter((each) => each.parent === number) ?? [];
  return (
    <article class="card wide" aria-labelledby="story-title">
      <p>
        <a href="#/versions">All versions</a>
      </p>
      <h2 id="story-title">Version {number}</h2>
      <dl>
        <dt>Status</dt>
        <dd>
          {version.status}
          {version.reason && <>: {version.reason}</>}
        </dd>
        <dt>Made</dt>
        <dd>
          <time dateTime={version.created_at}>{time(version.created_at)}</time>
        </dd>
        <dt>Parent</dt>
        <dd>{version.parent === null ? "none: it was exported" : <a href={`#/versions/${version.parent}`}>version {version.parent}</a>}</dd>
        {children.length > 0 && (
          <>
            <dt>Made from it</dt>
            <dd>
              {children.map((each) => (
                <a key={each.number} href={`#/versions/${each.number}`}>
                  {each.number}{" "}
                </a>
              ))}
            </dd>
          </>
        )}
        <dt>Domain</dt>
        <dd>{version.domain}</dd>
        <dt>Images behind it</dt>
        <dd>{Math.round(version.count)}</dd>
        <dt>Fingerprint</dt>
        <dd>
          <code>{version.fingerprint.slice(0, 16)}</code>
        </dd>
      </dl>
      <Actions version={version} />
      {Object.keys(version.scores).length > 0 && (
        <table>
          <caption>What the guards measured, without labels</caption>
          <tbody>
            {Object.entries(version.scores).map(([name, value]) => (
              <tr key={name}>
                <th scope="row">{name.replaceAll("_", " ")}</th>
                <td>{decimal(value, 4)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <h3>What happened to it</h3>
      <Events events={about} />
      {version.parent !== null && version.kept && <Evidence number={number} />}
    </article>
  );
}
