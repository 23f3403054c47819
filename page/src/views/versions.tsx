/** The line of versions as a graph, and what an operator may do with it. */
import { info, nameOfDomain, serving, type Version } from "../state";
import { Domains } from "./domains";
import { Operate } from "./operate";

const STEP = 56;
const LANE = 44;
const EDGE = 28;

const nameOf = (domain: number) => nameOfDomain(domain) ?? `domain ${domain}`;

function Graph({ versions }: { versions: Version[] }) {
  const lanes = [...new Set(versions.map((version) => version.domain))].sort((one, other) => one - other);
  const x = (place: number) => EDGE + place * STEP;
  const y = (domain: number) => EDGE + lanes.indexOf(domain) * LANE;
  const places = new Map(versions.map((version, place) => [version.number, place]));
  return (
    <div class="graph" tabIndex={0} role="group" aria-label="Versions from left to right, one lane per domain">
      <svg width={x(versions.length - 1) + EDGE} height={y(lanes.at(-1) ?? 0) + EDGE}>
        {versions.map((version) => {
          const parent = version.parent === null ? undefined : versions[places.get(version.parent) ?? -1];
          if (!parent) return null;
          const [x1, y1] = [x(places.get(parent.number) ?? 0), y(parent.domain)];
          const [x2, y2] = [x(places.get(version.number) ?? 0), y(version.domain)];
          const bend = `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}`;
          return <path key={version.number} class={`edge ${version.status}`} d={bend} />;
        })}
        {versions.map((version, place) => {
          const served = version.number === serving.value;
          return (
            <a
              key={version.number}
              href={`#/versions/${version.number}`}
              aria-label={`version ${version.number}, ${version.status}${served ? ", served" : ""}, ${nameOf(version.domain)}`}
            >
              <circle class={`version ${version.status}${served ? " served" : ""}`} cx={x(place)} cy={y(version.domain)} r={served ? 16 : 13} />
              <text x={x(place)} y={y(version.domain) + 4}>
                {version.number}
              </text>
            </a>
          );
        })}
      </svg>
    </div>
  );
}

export function Versions() {
  const found = info.value;
  if (!found) return <p class="loading">Loading…</p>;
  const newest = [...found.versions].reverse();
  return (
    <section aria-labelledby="versions-title" class="card wide">
      <h2 id="versions-title">Versions</h2>
      <p class="legend">
        <span class="published">published</span> <span class="proposed">proposed</span> <span class="rejected">rejected</span>{" "}
        <span class="served">served</span>
        {found.shadow !== null && found.shadow !== undefined && <> · version {found.shadow} is the shadow</>}
        {found.watched !== null && found.watched !== undefined && <> · on probation: {found.watched} images compared</>}
      </p>
      <Graph versions={found.versions} />
      <Operate />
      <table class="list">
        <caption>{found.earlier === null ? "All versions" : "The newest versions"}</caption>
        <thead>
          <tr>
            <th scope="col">version</th>
            <th scope="col">status</th>
            <th scope="col">domain</th>
            <th scope="col">images</th>
            <th scope="col">why</th>
          </tr>
        </thead>
        <tbody>
          {newest.map((version) => (
            <tr key={version.number}>
              <th scope="row">
                <a href={`#/versions/${version.number}`}>{version.number}</a>
                {version.number === serving.value && " (served)"}
              </th>
              <td>{version.status}</td>
              <td>{nameOf(version.domain)}</td>
              <td>{Math.round(version.count)}</td>
              <td>{version.reason ?? ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Domains />
    </section>
  );
}
