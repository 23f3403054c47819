/** A list of events, each with its time, what happened, and who did it. */
import type { Schemas } from "../api/client";
import { describe, time } from "../words";

interface Properties {
  events: Schemas["EventInfo"][];
  /** Whether the newest is first. */
  reversed?: boolean;
}

export function Events({ events, reversed = false }: Properties) {
  return (
    <ol class="events" reversed={reversed}>
      {(reversed ? [...events].reverse() : events).map((event) => (
        <li key={event.id} class={event.alarm || event.kind === "rejected" ? "alarm" : ""}>
          <time dateTime={event.at}>{time(event.at)}</time> {describe(event)}
          {event.by && <span class="by"> by {event.by}</span>}
        </li>
      ))}
    </ol>
  );
}
