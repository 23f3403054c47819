/** A line chart over time, drawn by uPlot. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Line {
  label: string;
  /** Number of the colour, from 1. */
  colour: number;
  dashed?: boolean;
  values: (number | null)[];
}

interface Properties {
  title: string;
  unit: string;
  /** Seconds since 1970. */
  times: number[];
  lines: Line[];
}

const HEIGHT = 180;
const SMALLEST = 160;

function colourOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function Chart({ title, unit, times, lines }: Properties) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const rows = [times, ...lines.map((line) => line.values)] as uPlot.AlignedData;
  const shape = lines.map((line) => line.label).join();
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const make = () => {
      chart.current?.destroy();
      const axis = { stroke: colourOf("--text"), grid: { stroke: colourOf("--line") }, ticks: { stroke: colourOf("--line") } };
      const width = Math.max(SMALLEST, element.clientWidth);
      const series = lines.map(({ label, colour, dashed }) => ({
        label,
        stroke: colourOf(`--series-${colour}`),
        width: 2,
        spanGaps: true,
        ...(dashed ? { dash: [6, 4] } : {}),
      }));
      chart.current = new uPlot(
        { width, height: HEIGHT, series: [{}, ...series], axes: [axis, { ...axis, size: 56 }], cursor: { y: false } },
        rows,
        element,
      );
    };
    make();
    const watch = new ResizeObserver(() =>
      chart.current?.setSize({ width: Math.max(SMALLEST, element.clientWidth), height: HEIGHT }),
    );
    watch.observe(element);
    dark.addEventListener("change", make);
    return () => {
      watch.disconnect();
      dark.removeEventListener("change", make);
      chart.current?.destroy();
      chart.current = null;
    };
  }, [shape]);
  useEffect(() => chart.current?.setData(rows), [times.length, times.at(-1)]);
  const last = lines.map((line) => `${line.label} ${line.values.at(-1)?.toPrecision(3) ?? "none"}`).join(", ");
  return (
    <figure class="chart">
      <figcaption>
        {title} {unit && <small>({unit})</small>}
      </figcaption>
      <div ref={place} role="img" aria-label={`${title}; now: ${last}`} />
    </figure>
  );
}
