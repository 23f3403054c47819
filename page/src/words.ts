/** Numbers, times and kinds as people read them. */
import type { Schemas } from "./api/client";

export const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

export const decimal = (value: number, digits = 3) => Number(value.toPrecision(digits)).toString();

export const time = (at: string) =>
  new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** What became of a version, in one line. */
export const outcomeOf = ({ number, status, reason }: Schemas["VersionInfo"]) =>
  `version ${number} ${status}${reason ? `: ${reason}` : ""}`;

/** What an event says, in one line. */
export function describe(event: Schemas["EventInfo"]): string {
  const parts = [event.kind.replaceAll("_", " ")];
  if (event.version !== null && event.version !== undefined) parts.push(`version ${event.version}`);
  if (event.previous !== null && event.previous !== undefined) parts.push(`after version ${event.previous}`);
  if (event.received) parts.push(`${event.admitted ?? 0} of ${event.received} images admitted`);
  if (event.mode) parts.push(`mode ${event.mode}`);
  if (event.domain !== null && event.domain !== undefined) parts.push(`domain ${event.domain}`);
  if (event.verdict) parts.push(`${event.labels ?? 0} labels: ${event.verdict}`);
  if (event.alarm) parts.push(event.alarm);
  if (event.reason) parts.push(`“${event.reason}”`);
  return parts.join(" · ");
}
