/** What happened to the target, newest first. */
import { alarms, events } from "../state";
import { describe, time } from "../words";

export function History() {
  return (
    <section aria-labelledby="history-title" class="card wide">
      <h2 id="history-title">History</h2>
      <p>{alarms.value.length === 0 ? "No alarms among these events." : `${alarms.value.length} alarms among these events.`}</p>
      <ol class="events" reversed>
        {[...events.value].reverse().map((event) => (
          <li key={event.id} class={event.alarm || event.kind === "rejected" ? "alarm" : ""}>
            <time dateTime={event.at}>{time(event.at)}</time> {describe(event)}
            {event.by && <span class="by"> by {event.by}</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}
