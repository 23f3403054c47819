"""Tables of what the rounds found, in Markdown: medians over the rounds, and how far they spread."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

OURS = "ours"
Row = dict[str, Any]


def render(results: dict[str, Any]) -> str:
    """Markdown tables, one per workload, and the systems that could not be measured."""
    names = list(dict.fromkeys(row["workload"] for row in results["rows"]))
    parts = [_table(results, name) for name in names]
    if results["failed"]:
        failures = [f"- {name}: {reason}" for name, reason in results["failed"].items()]
        parts.append("Not measured:\n\n" + "\n".join(failures))
    return "\n\n".join(parts) + "\n"


def saturation(row: Row) -> float:
    """The largest rate of successful answers under any number of clients."""
    rates = [
        load["requests_per_second"] for name, load in row["loads"].items() if "clients" in name
    ]
    return float(max(rates))


def _table(results: dict[str, Any], workload: str) -> str:
    rows = [row for row in results["rows"] if row["workload"] == workload]
    limits = {
        found["round"]: found for found in results["ceilings"] if found["workload"] == workload
    }
    ours = {row["round"]: saturation(row) for row in rows if row["system"] == OURS}
    limit = median(found["requests_per_second"] for found in limits.values())
    lines = [
        f"### {workload}: limit {limit:.1f} requests/s",
        "",
        "| system | saturation/s | of the limit | generator taken out | of ours | 1 client p50 ms"
        " | 16 clients p99 ms | 70 % load p99 ms | 90 % load p99 ms | memory MB | errors |",
        "|" + "---|" * 11,
    ]

    def net(row: Row) -> float:
        found = limits[row["round"]]
        own = _at_saturation(row)["generator_processors"]
        left = 1 - own / found["processors"]
        return float(saturation(row) / (found["requests_per_second"] * left))

    for system in dict.fromkeys(row["system"] for row in rows):
        mine = [row for row in rows if row["system"] == system]
        cells = [
            _spread(mine, saturation, "{:.1f}"),
            _spread(mine, lambda r: saturation(r) / limits[r["round"]]["requests_per_second"]),
            _spread(mine, net),
            _spread(
                [row for row in mine if ours.get(row["round"])],
                lambda r: saturation(r) / ours[r["round"]],
            ),
            _spread(mine, _latency("1 clients", "p50"), "{:.1f}"),
            _spread(mine, _latency("16 clients", "p99"), "{:.0f}"),
            _spread(mine, _latency("70% load", "p99"), "{:.1f}"),
            _spread(mine, _latency("90% load", "p99"), "{:.1f}"),
            _spread(mine, _memory, "{:.0f}"),
            str(sum(sum(load["errors"].values()) for r in mine for load in r["loads"].values())),
        ]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _at_saturation(row: Row) -> dict[str, Any]:
    loads = [load for name, load in row["loads"].items() if "clients" in name]
    best: dict[str, Any] = max(loads, key=lambda load: load["requests_per_second"])
    return best


def _latency(load: str, percentile: str) -> Callable[[Row], float | None]:
    def read(row: Row) -> float | None:
        value: float | None = row["loads"][load]["latency_ms"][percentile]
        return value

    return read


def _memory(row: Row) -> float | None:
    """The most memory under any load, in MB."""
    found = [load["server_memory_bytes"] for load in row["loads"].values()]
    kept = [value for value in found if value is not None]
    return max(kept) / 1e6 if kept else None


def _spread(rows: Sequence[Row], value: Callable[[Row], float | None], form: str = "{:.2f}") -> str:
    """Median and, over several rounds, the lowest and highest value."""
    found = [number for row in rows if (number := value(row)) is not None]
    if not found:
        return ""
    text = form.format(median(found))
    if len(found) > 1:
        text += f" ({form.format(min(found))} to {form.format(max(found))})"
    return text
