"""Renders the report of a run from a template, and writes it."""

import math
from collections.abc import Callable
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from bundle.text import describe_error
from bundle.writing.atomic import write_file
from rn_model.report.charts.chart import Chart
from rn_model.report.run_files import Note, RunFiles, read_run
from rn_model.report.sections.classes import ClassReport, class_report
from rn_model.report.sections.confusion import NAMED, confusion_chart
from rn_model.report.sections.curves import evaluation_charts, timeline, training_charts
from rn_model.report.sections.embedding import embedding_charts
from rn_model.report.sections.facts import (
    UNKNOWN,
    class_names,
    data_rows,
    decimal,
    facts,
    label_free_scores,
    oracles,
    percent,
    progress,
    title,
)
from rn_model.report.sections.gain import Gain, gain
from rn_model.report.sections.layers import LayerRow, layer_charts, layer_rows
from rn_model.report.sections.pictures import Group, picture_groups
from rn_model.report.sections.selection import Selection, explain
from rn_model.runs.class_shares import ClassShares

FILE = "report.html"
# With more classes than this, the confusion matrix is not repeated as a table.
_WHOLE_TABLE = 12

T = TypeVar("T")


def write(run: Path) -> Path:
    """Write the report of a run; see :func:`rn_model.report.write_report`."""
    page = render(read_run(run))
    path = run / FILE
    write_file(path, page.encode(errors="replace"))
    return path


def render(files: RunFiles) -> str:
    """Render a self-contained page."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "decimal": decimal, "compact": _compact}
    package = resources("rn_model.report")
    template = environment.from_string((package / "page.html.j2").read_text())
    style = Markup((package / "page.css").read_text())
    return template.render(style=style, **_contents(files))


def _contents(files: RunFiles) -> dict[str, Any]:
    """Variables of the template."""
    notes = list(files.notes)

    def attempt(file: str, make: Callable[[], T], otherwise: T) -> T:
        try:
            return make()
        except (ValueError, TypeError) as error:
            notes.append(Note(file, f"has unexpected contents: {describe_error(error)}"))
            return otherwise

    names = class_names(files)
    no_gain: Gain | None = None
    no_pictures: list[Group] = []
    no_shares: ClassShares | None = None
    selection = explain(files)
    steps = files.result.get("steps")
    no_report: ClassReport | None = None
    no_charts: list[Chart] = []
    no_rows: list[LayerRow] = []
    classes = attempt("evaluation.npz", lambda: class_report(files.arrays, names), no_report)
    labelled = classes is not None and classes.labelled > 0
    rows = attempt("layers.json", lambda: layer_rows(files.layers, _groups(files)), no_rows)
    return {
        "title": title(files),
        "progress": progress(files),
        "facts": facts(files),
        "data": data_rows(files),
        "gain": attempt("evaluation.npz", lambda: gain(files, names), no_gain),
        "shares": attempt("result.json", lambda: _shares(files), no_shares),
        "share_names": names,
        "pictures": attempt(
            "evaluation.npz", lambda: picture_groups(files.arrays, names), no_pictures
        ),
        "scores": label_free_scores(files.result),
        "oracles": oracles(files.result),
        "selection": selection,
        "steps": steps if isinstance(steps, int) else None,
        "curves": _curves(files, selection),
        "classes": classes,
        "labelled": labelled,
        "whole_table": labelled and classes is not None and len(classes.names) <= _WHOLE_TABLE,
        "numbered": classes is not None and len(classes.names) > NAMED,
        "test_set": _has_test_set(files),
        "confusion": confusion_chart(classes) if classes is not None and labelled else None,
        "features": attempt(
            "evaluation.npz", lambda: embedding_charts(files.arrays, names), no_charts
        ),
        "layers": rows,
        "layer_charts": layer_charts(rows),
        "config": _as_yaml(files.config),
        "record": _fingerprints(files),
        "notes": notes,
    }


def _curves(files: RunFiles, selection: Selection) -> list[Chart]:
    line = timeline(files, selection)
    training = training_charts(files, line)
    return training[:1] + evaluation_charts(files, line, selection) + training[1:]


def _shares(files: RunFiles) -> ClassShares | None:
    found = files.result.get("class_shares")
    return None if found is None else ClassShares.model_validate(found)


def _has_test_set(files: RunFiles) -> bool:
    task = files.config.get("task")
    return isinstance(task, dict) and bool(task.get("test"))


def _groups(files: RunFiles) -> int | None:
    for holder in (files.result, files.config):
        normalization = holder.get("normalization")
        if isinstance(normalization, dict):
            groups = normalization.get("groups")
            return int(groups) if groups else None
    return None


def _as_yaml(config: Any) -> str:
    if not config:
        return ""
    text: str = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=100)
    return text


def _fingerprints(files: RunFiles) -> dict[str, str]:
    found: dict[str, str] = {}
    weights = files.record.get("weights_sha256")
    if weights:
        found["model.safetensors"] = str(weights)
    fingerprints = files.record.get("fingerprints")
    if isinstance(fingerprints, dict):
        found |= {str(name): str(value) for name, value in fingerprints.items()}
    return found


def _compact(value: float) -> str:
    """Three significant digits, or a dash for NaN."""
    return UNKNOWN if math.isnan(value) else f"{value:.3g}"
