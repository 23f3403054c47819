"""Writes monitoring/grafana/dashboard.json: ``python -m scripts.dashboard``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "monitoring" / "grafana" / "dashboard.json"
WIDTH = 24
# What the variables at the top of the dashboard select.
CHOSEN = 'model=~"$model", target=~"$target"'
PREDICTIONS = 'route=~".*/(predict|infer)"'
SOURCE = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True)
class Panel:
    """A panel of the dashboard.

    Attributes:
        title: title, as a person asks.
        queries: expressions of Prometheus, and the name of their series.
        unit: unit of the values, as Grafana names it.
        help: what it means, and what is normal.
        kind: kind of the panel, as Grafana names it.
        width: width, of 24.
        limit: value from which on it is drawn in red.
    """

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str
    help: str
    kind: str = "timeseries"
    width: int = 8
    limit: float | None = None


def largest(metric: str) -> str:
    """Largest value of a gauge among the replicas, for each of the chosen targets."""
    return f"max by (target) ({metric}{{{CHOSEN}}})"


def rate_of(metric: str, by: str) -> str:
    """Rate of a counter of the chosen targets."""
    return f"sum by ({by}) (rate({metric}{{{CHOSEN}}}[$__rate_interval]))"


def quantile(metric: str, share: float, selector: str = "", by: str = "le") -> str:
    """Quantile of a histogram."""
    rate = f"rate({metric}_bucket{{{selector}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by ({by}) ({rate}))"


ROWS: Sequence[tuple[str, Sequence[Panel]]] = (
    (
        "What is served",
        (
            Panel(
                "Version",
                [(largest("rn_serving_version"), "{{target}}")],
                "none",
                "Version that is served. A step down is a rollback, or an earlier domain.",
                "stat",
                6,
            ),
            Panel(
                "Domain",
                [(largest("rn_domain"), "{{target}}")],
                "none",
                "0 is the domain that the bundle was exported for.",
                "stat",
                6,
            ),
            Panel(
                "Pending images",
                [(largest("rn_pending_images"), "{{target}}")],
                "none",
                "Images that are in no version yet.",
                "stat",
                6,
            ),
            Panel(
                "Switched off",
                [(largest("rn_frozen"), "{{target}}")],
                "bool_yes_no",
                "Whether adaptation is frozen.",
                "stat",
                6,
                1,
            ),
        ),
    ),
    (
        "Predictions",
        (
            Panel(
                "Requests a second",
                [
                    (
                        "sum by (status) (rate(rn_http_request_seconds_count"
                        f"{{{PREDICTIONS}}}[$__rate_interval]))",
                        "{{status}}",
                    )
                ],
                "reqps",
                "Requests to predict by the class of their answer.",
            ),
            Panel(
                "Latency",
                [
                    (
                        quantile("rn_http_request_seconds", share, PREDICTIONS),
                        name,
                    )
                    for share, name in ((0.5, "median"), (0.99, "99th percentile"))
                ],
                "s",
                "From the headers of a request to the end of its answer.",
            ),
            Panel(
                "Where the time goes",
                [(quantile("rn_predict_stage_seconds", 0.99, by="le, stage"), "{{stage}}")],
                "s",
                "99th percentile of each stage. Queue grows first when there is too much to do.",
            ),
            Panel(
                "Classes",
                [(rate_of("rn_predictions_total", "label"), "{{label}}")],
                "ops",
                "Predicted images a second by label. A class that takes over may be label shift, or harm.",
                width=12,
            ),
            Panel(
                "Waiting images",
                [("sum by (instance) (rn_queue_images)", "{{instance}}")],
                "none",
                "Images that wait for a worker.",
                width=6,
            ),
            Panel(
                "Problems",
                [
                    (
                        "sum by (type) (rate(rn_problems_total[$__rate_interval]))",
                        "{{type}}",
                    )
                ],
                "ops",
                "Errors that were answered, by kind.",
                width=6,
            ),
        ),
    ),
    (
        "Adaptation",
        (
            Panel(
                "Posted images a second",
                [(rate_of("rn_adapt_images_total", "verdict"), "{{verdict}}")],
                "ops",
                "Images of batches, by whether they moved the statistics.",
            ),
            Panel(
                "Drift of the last images",
                [
                    (largest("rn_drift_standard_errors"), "{{target}}"),
                    (
                        largest("rn_traffic_drift_standard_errors"),
                        "{{target}}, predictions",
                    ),
                ],
                "none",
                "Largest difference of a feature from the domain, in standard errors. Above 8 the domain"
                " has changed.",
                limit=8,
            ),
            Panel(
                "Distance from the exported domain",
                [(largest("rn_domain_shift"), "{{target}}")],
                "none",
                "Mean distance of the domain's means, in standard deviations.",
            ),
            Panel(
                "Versions",
                [
                    (
                        f"sum by (status) (increase(rn_versions_total{{{CHOSEN}}}[$__rate_interval]))",
                        "{{status}}",
                    )
                ],
                "none",
                "Versions that were made, by what became of them.",
            ),
            Panel(
                "Held images",
                [(largest("rn_held_images"), "{{target}}")],
                "none",
                "Of the last 64, those that moved nothing: they wait for more evidence, or are foreign.",
                limit=32,
            ),
            Panel(
                "Time of a version",
                [(quantile("rn_commit_seconds", 0.9), "90 %")],
                "s",
                "To build, score and publish a version; predictions go on meanwhile.",
            ),
        ),
    ),
    (
        "Process",
        (
            Panel(
                "Memory",
                [
                    (
                        'process_resident_memory_bytes{job="reciprocal-norm"}',
                        "{{instance}}",
                    )
                ],
                "bytes",
                "Resident memory of each replica.",
                width=12,
            ),
            Panel(
                "Processors",
                [
                    (
                        'rate(process_cpu_seconds_total{job="reciprocal-norm"}[$__rate_interval])',
                        "{{instance}}",
                    )
                ],
                "none",
                "Processors that each replica uses.",
                width=12,
            ),
        ),
    ),
)


def main() -> None:
    """Write the file."""
    FILE.write_text(make_dashboard())


def make_dashboard() -> str:
    """The dashboard as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS:
        panels.append({"type": "row", "title": title, "gridPos": _place(0, y, WIDTH, 1)})
        y += 1
        x = 0
        for panel in row:
            height = 4 if panel.kind == "stat" else 8
            if x + panel.width > WIDTH:
                x, y = 0, y + height
            panels.append(_panel(panel, _place(x, y, panel.width, height)))
            x += panel.width
        y += height
    for number, made in enumerate(panels, 1):
        made["id"] = number
    content = {
        "uid": "reciprocal-norm",
        "title": "Reciprocal Normalization",
        "schemaVersion": 39,
        "editable": False,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [_variable("model", "rn_serving_version"), _variable("target", _of_model())]
        },
        "panels": panels,
    }
    return json.dumps(content, indent=1) + "\n"


def queries() -> list[str]:
    """All expressions of the dashboard, with its variables replaced."""
    found = [query for _, row in ROWS for panel in row for query, _ in panel.queries]
    values = {"$__rate_interval": "5m", "$model": ".*", "$target": ".*"}
    for name, value in values.items():
        found = [query.replace(name, value) for query in found]
    return found


def _of_model() -> str:
    return 'rn_serving_version{model=~"$model"}'


def _variable(label: str, metric: str) -> dict[str, Any]:
    return {
        "name": label,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": f"label_values({metric}, {label})",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if panel.kind == "timeseries" and panel.limit is not None:
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query, "legendFormat": name}
            for number, (query, name) in enumerate(panel.queries)
        ],
    }


if __name__ == "__main__":
    main()
