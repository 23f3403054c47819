/** Shares of classes as bars. */
import { percent } from "../words";

/** Share of each class, from 0 to 1. */
export type Shares = [label: string, share: number][];

const SHOWN = 12;

/** The largest shares, the largest first. */
export const largest = (shares: Shares): Shares =>
  [...shares].sort(([, one], [, other]) => other - one).slice(0, SHOWN);

export function Bars({ what, shares }: { what: string; shares: Shares }) {
  return (
    <ul class="bars">
      {shares.map(([label, share]) => (
        <li key={label}>
          <span>{label}</span>
          <meter min={0} max={1} value={share} aria-label={`${what} of ${label}`} />
          <span>{percent(share)}</span>
        </li>
      ))}
    </ul>
  );
}
