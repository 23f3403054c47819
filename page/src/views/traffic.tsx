/** Throughput, latency, confidence and predicted classes of the last minutes. */
import { activities } from "../state";
import { Bars, largest, type Shares } from "./bars";
import { Chart } from "./chart";

export function Traffic() {
  const seconds = activities.value;
  const times = seconds.map((each) => Date.parse(each.at) / 1000);
  const of = (read: (each: (typeof seconds)[number]) => number | null) => seconds.map(read);
  const counts = new Map<string, number>();
  for (const each of seconds)
    for (const [label, count] of Object.entries(each.labels)) counts.set(label, (counts.get(label) ?? 0) + count);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const shares: Shares = [...counts].map(([label, count]) => [label, count / total]);
  return (
    <section aria-labelledby="traffic-title" class="card wide">
      <h2 id="traffic-title">Traffic of the last minutes</h2>
      <div class="charts">
        <Chart
          title="Throughput"
          unit="per second"
          times={times}
          lines={[
            { label: "requests", colour: 1, values: of((each) => each.requests) },
            { label: "images of this target", colour: 2, values: of((each) => each.images) },
          ]}
        />
        <Chart
          title="Time of an answer"
          unit="ms"
          times={times}
          lines={[
            { label: "median", colour: 1, values: of((each) => each.median) },
            { label: "99 %", colour: 2, values: of((each) => each.p99) },
          ]}
        />
        <Chart
          title="Confidence"
          unit="mean probability of the label"
          times={times}
          lines={[{ label: "confidence", colour: 3, values: of((each) => each.confidence) }]}
        />
        <Chart
          title="Waiting images"
          unit=""
          times={times}
          lines={[{ label: "queue", colour: 4, values: of((each) => each.queued) }]}
        />
      </div>
      <h3>Predicted classes</h3>
      {total === 0 ? (
        <p class="hint">Nothing was predicted while this page was open.</p>
      ) : (
        <Bars what="share" shares={largest(shares)} />
      )}
    </section>
  );
}
