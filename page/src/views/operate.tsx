/** Mode, freeze, rollback and reset, each with a reason that is recorded. */
import { signal } from "@preact/signals";
import { freeze, type Mode, reset, rollBack, setMode } from "../operations";
import { info } from "../state";

export const reason = signal("");

const MODES: { mode: Mode; text: string }[] = [
  { mode: "off", text: "off: nothing is made" },
  { mode: "shadow", text: "shadow: proposed to people" },
  { mode: "auto", text: "auto: published" },
];

export function Reason() {
  return (
    <label class="reason">
      <span>Reason, for the record</span>
      <input
        type="text"
        maxLength={500}
        value={reason.value}
        placeholder="such as: the camera was replaced"
        onInput={(event) => (reason.value = event.currentTarget.value)}
      />
    </label>
  );
}

export function Operate() {
  const found = info.value;
  if (!found) return null;
  return (
    <div class="operate" role="group" aria-label="Operate">
      <Reason />
      <label>
        <span>Mode: good versions are</span>
        <select value={found.mode} onChange={(event) => void setMode(event.currentTarget.value as Mode, reason.value)}>
          {MODES.map(({ mode, text }) => (
            <option key={mode} value={mode}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <div class="buttons">
        <button type="button" onClick={() => void freeze(!found.frozen, reason.value)}>
          {found.frozen ? "Unfreeze" : "Freeze"}
        </button>
        <button type="button" onClick={() => void rollBack(null, reason.value)}>
          Roll back
        </button>
        <button type="button" onClick={() => void reset(reason.value)}>
          Reset to version 0
        </button>
      </div>
    </div>
  );
}
