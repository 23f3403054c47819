/** The domains that the target has been in: names, pins, and forgetting. */
import { useState } from "preact/hooks";
import type { Schemas } from "../api/client";
import { changeDomain, forgetDomain } from "../operations";
import { domains } from "../state";
import { time } from "../words";
import { reason } from "./operate";

type Domain = Schemas["DomainInfo"];

function Row({ domain, current }: { domain: Domain; current: boolean }) {
  const { number } = domain;
  // What was typed holds until the service has taken it; news of it may come in between.
  const [draft, setDraft] = useState<Partial<Domain>>({});
  const { name, pinned } = { ...domain, ...draft };
  const change = (changes: Partial<Domain>) => {
    const next = { name, pinned, ...changes };
    setDraft(next);
    void changeDomain(number, (next.name ?? "").trim(), next.pinned, reason.value).then(() => setDraft({}));
  };
  return (
    <tr>
      <th scope="row">
        {number}
        {current && " (now)"}
      </th>
      <td>
        <input
          type="text"
          maxLength={64}
          aria-label={`name of domain ${number}`}
          value={name ?? ""}
          onInput={(event) => setDraft({ ...draft, name: event.currentTarget.value })}
          onChange={() => change({})}
        />
      </td>
      <td>
        <label>
          <input
            type="checkbox"
            checked={pinned}
            onChange={(event) => change({ pinned: event.currentTarget.checked })}
          />{" "}
          kept
        </label>
      </td>
      <td>
        <a href={`#/versions/${domain.version}`}>{domain.version}</a>
      </td>
      <td>{time(domain.seen_at)}</td>
      <td>
        {number !== 0 && !current && (
          <button type="button" onClick={() => void forgetDomain(number)}>
            Forget
          </button>
        )}
      </td>
    </tr>
  );
}

export function Domains() {
  const found = domains.value;
  if (!found) return null;
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label="Domains">
      <table>
        <caption>Domains; the next image may belong to any of them</caption>
        <thead>
          <tr>
            {["domain", "name", "pin", "version", "last seen", ""].map((title) => (
              <th key={title} scope="col">
                {title || <span class="unseen">forget</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {found.domains.map((domain) => (
            <Row key={domain.number} domain={domain} current={domain.number === found.current} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
