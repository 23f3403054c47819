/** How far the target has moved: over time against its limit, by feature, by layer and by class. */
import type { Schemas } from "../api/client";
import { drift, drifts } from "../state";
import { decimal } from "../words";
import { Bars, largest } from "./bars";
import { Chart } from "./chart";

type Feature = Schemas["FeatureDrift"];

function Band({ feature }: { feature: Feature }) {
  const { low, high, recent, domain } = feature;
  const reach = 1.2 * Math.max(high - domain, Math.abs(recent - domain), 1e-9);
  const x = (value: number) => 100 + (100 * (value - domain)) / reach;
  const inside = recent >= low && recent <= high;
  return (
    <svg viewBox="0 0 200 16" class="band" role="img" aria-label={inside ? "within the band" : "outside the band"}>
      <rect class="calm" x={x(low)} y="3" width={x(high) - x(low)} height="10" rx="3" />
      <line x1="100" x2="100" y1="1" y2="15" />
      <circle class={inside ? "" : "out"} cx={x(recent)} cy="8" r="5" />
    </svg>
  );
}

function Features({ title, features }: { title: string; features: Feature[] }) {
  if (features.length === 0) return null;
  return (
    <table>
      <caption>{title}</caption>
      <thead>
        <tr>
          <th scope="col">feature</th>
          <th scope="col">last images in the calibrated band</th>
          <th scope="col">standard errors</th>
        </tr>
      </thead>
      <tbody>
        {features.map((each) => (
          <tr key={each.feature}>
            <th scope="row">{each.feature}</th>
            <td>
              <Band feature={each} />
            </td>
            <td>{decimal(each.z)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Shares({ title, shares }: { title: string; shares: Record<string, number> }) {
  return (
    <div>
      <h3>{title}</h3>
      <Bars what="share" shares={largest(Object.entries(shares))} />
    </div>
  );
}

export function DriftView() {
  const found = drift.value;
  const points = drifts.value;
  if (!found) return <p class="loading">Loading…</p>;
  const farthest = Math.max(...found.sites.map((site) => Math.max(site.mean, site.served)), 1e-9);
  return (
    <section aria-labelledby="drift-title" class="card wide">
      <h2 id="drift-title">Drift</h2>
      <p>
        Domain {found.domain}; {found.images} last images, {found.held} of which did not move the statistics. The means lie{" "}
        {decimal(found.shift)} standard deviations from the exported ones.
      </p>
      <Chart
        title="Largest difference of a feature"
        unit="standard errors"
        times={points.map((point) => point.at)}
        lines={[
          { label: "posted", colour: 1, values: points.map((point) => point.z) },
          { label: "predicted", colour: 2, values: points.map((point) => point.traffic) },
          { label: "limit", colour: 4, dashed: true, values: points.map((point) => point.limit) },
        ]}
      />
      <div class="tables">
        <Features title="Posted images" features={found.features} />
        <Features title="Predicted images" features={found.traffic.features} />
      </div>
      {found.sites.length > 0 && (
        <table>
          <caption>Layers: distance of the means, in standard deviations</caption>
          <thead>
            <tr>
              <th scope="col">layer</th>
              <th scope="col">from the exported version</th>
              <th scope="col">from the served version</th>
            </tr>
          </thead>
          <tbody>
            {found.sites.map((site) => (
              <tr key={site.site}>
                <th scope="row">{site.site}</th>
                {[site.mean, site.served].map((value, column) => (
                  <td key={column}>
                    <meter min={0} max={farthest} value={value} aria-label="distance" /> {decimal(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <div class="columns">
        <Shares title="Class shares as predicted" shares={found.class_shares} />
        {found.class_shares_estimated && (
          <Shares title="Class shares, corrected for confusions" shares={found.class_shares_estimated} />
        )}
      </div>
    </section>
  );
}
