/** What happened to the target, newest first. */
import { alarms, events } from "../state";
import { Events } from "./events";

export function History() {
  return (
    <section aria-labelledby="history-title" class="card wide">
      <h2 id="history-title">History</h2>
      <p>{alarms.value.length === 0 ? "No alarms among these events." : `${alarms.value.length} alarms among these events.`}</p>
      <Events events={events.value} reversed />
    </section>
  );
}
