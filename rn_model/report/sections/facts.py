"""Facts about a run, for the head of its report."""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from rn_model.report.run_files import Entry, RunFiles

UNKNOWN = "—"
_PLACES = ("name", "built_in", "path", "list")


class Fact(NamedTuple):
    """A named fact."""

    name: str
    value: str


class Score(NamedTuple):
    """A number in the head of the report.

    Attributes:
        name: name of the number.
        value: formatted value.
        remark: images that it was measured on.
    """

    name: str
    value: str
    remark: str


def title(files: RunFiles) -> str:
    """The name of the run, or else of its directory."""
    name = files.result.get("name") or files.config.get("name") or files.path.resolve().name
    return str(name)


def class_names(files: RunFiles) -> list[str]:
    """Names of the classes in the order of the outputs; empty if unknown."""
    for holder in (files.result, files.record, _mapping(files.config.get("task"))):
        classes = holder.get("classes")
        if isinstance(classes, list) and classes:
            return [str(name) for name in classes]
    return []


def facts(files: RunFiles) -> list[Fact]:
    """Facts about data, network and training."""
    config, result = files.config, files.result
    task = _mapping(config.get("task"))
    objectives = result.get("objectives", config.get("objectives"))
    backbone = _mapping(config.get("backbone"))
    found = [
        ("Source", _datasets(task.get("source"))),
        ("Target", _datasets(task.get("target"))),
        ("Test", _datasets(task.get("test"))),
        ("Classes", str(len(class_names(files)) or "")),
        ("Normalization", _normalization(result.get("normalization", config.get("normalization")))),
        ("Objectives", _objectives(objectives)),
        ("Backbone", str(backbone.get("name") or files.record.get("factory") or "")),
        ("Seed", str(result.get("seed", config.get("seed", "")))),
        ("Time", duration(result.get("seconds"))),
    ]
    return [Fact(name, value) for name, value in found if value]


class DataRow(NamedTuple):
    """A data set of the run: its role, its place as configured, and its number of images."""

    role: str
    place: str
    images: str


def data_rows(files: RunFiles) -> list[DataRow]:
    """The data sets of a run with their full paths."""
    task, counts = _mapping(files.config.get("task")), _mapping(files.result.get("images"))
    rows: list[DataRow] = []
    for role in ("source", "validation", "target", "test", "probe"):
        value = task.get(role)
        parts = value if isinstance(value, list) else [value]
        places = [place for part in parts if (place := _place(part))]
        if role == "validation" and isinstance(value, int | float):
            places = [f"{value:.0%} of the source, held out"]
        count = counts.get(role)
        images = f"{count:,}" if isinstance(count, int) else UNKNOWN
        rows += [DataRow(role, place, images if place == places[0] else "") for place in places]
    return rows


def _place(value: object) -> str:
    if not isinstance(value, Mapping):
        return str(value) if isinstance(value, str) else ""
    text = next((str(value[key]) for key in ("path", "list", "built_in") if value.get(key)), "")
    chosen = [f"{key}: {value[key]}" for key in ("images_key", "split") if value.get(key)]
    chosen = [part for part in chosen if part != "images_key: images"]
    return f"{text} ({', '.join(chosen)})" if chosen else text


def label_free_scores(result: Entry) -> list[Score]:
    """Scores that do not need target labels."""
    scores = result.get("scores")
    if isinstance(scores, Mapping):
        information, nuclear_norm = scores.get("information"), scores.get("nuclear_norm")
    elif isinstance(scores, Sequence) and len(scores) == 2:  # a named tuple as JSON
        information, nuclear_norm = scores
    else:
        information = nuclear_norm = None
    found = [
        Score("Information", decimal(information), "target, without labels"),
        Score("Nuclear norm", decimal(nuclear_norm), "target, without labels"),
        Score("Source accuracy", percent(result.get("source_accuracy")), "held-out source images"),
    ]
    return [score for score in found if score.value]


def oracles(result: Entry) -> list[Score]:
    """Accuracies measured with target labels."""
    found = [
        Score(
            "Target accuracy",
            percent(result.get("oracle_target_accuracy")),
            "kept network",
        ),
        Score(
            "Best evaluation",
            percent(result.get("oracle_best_accuracy")),
            "if labels selected the step",
        ),
        Score("Test accuracy", percent(result.get("test_accuracy")), "labelled test set"),
    ]
    return [score for score in found if score.value]


def progress(files: RunFiles) -> str:
    """Progress of an unfinished run; empty for a finished one."""
    if files.result:
        return ""
    entries = files.training or files.evaluations
    if not entries:
        return "This run is not finished. No training steps have been recorded yet."
    last = entries[-1]
    stage = "source training" if last["stage"] == "source" else "the adaptation"
    steps = f" of {last['steps']:,}" if isinstance(last.get("steps"), int) else ""
    return (
        f"This run is not finished: the last recorded step is {last['step']:,}{steps} of {stage}."
    )


def percent(value: object) -> str:
    """Format a share as a percentage; empty for values that are not numbers."""
    if not isinstance(value, int | float):
        return ""
    return f"{value:.1%}" if math.isfinite(value) else UNKNOWN


def decimal(value: object) -> str:
    """Format with three decimal places; empty for values that are not numbers."""
    if not isinstance(value, int | float):
        return ""
    return f"{value:.3f}" if math.isfinite(value) else UNKNOWN


def duration(seconds: object) -> str:
    """Format a duration in hours and minutes, minutes and seconds, or seconds."""
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _datasets(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, (_datasets(part) for part in value)))
    if not isinstance(value, Mapping):
        return str(value) if isinstance(value, str) else ""
    text = next((str(value[key]) for key in _PLACES if value.get(key)), "")
    # The last part of ".../amazon/images" alone would not identify the domain.
    place = "/".join(PurePath(text).parts[-2:]) if "/" in text else text
    return f"{place} {value.get('split') or ''}".strip()


def _normalization(value: object) -> str:
    if not isinstance(value, Mapping):
        return str(value or "")
    usual = {"kind", "correlation_scale", "similarity", "compensation", "aggregation", "gate_floor"}
    defaults: dict[str, Any] = {
        "correlation_scale": 1.0,
        "similarity": "squared",
        "compensation": True,
        "aggregation": True,
        "gate_floor": 0.5,
    }
    kind = str(value.get("kind", ""))
    changed = [
        f"{key} {value[key]}" for key in defaults if value.get(key, defaults[key]) != defaults[key]
    ]
    changed += [
        f"{key} {value[key]}" for key in value if key not in usual and value[key] is not None
    ]
    return f"{kind} ({', '.join(changed)})" if changed else kind


def _objectives(value: object) -> str:
    if not isinstance(value, list):
        return ""
    names = [
        str(part.get("name", "?")) if isinstance(part, Mapping) else str(part) for part in value
    ]
    return " + ".join(names) or "source only"


def _mapping(value: object) -> Entry:
    return value if isinstance(value, Mapping) else {}
