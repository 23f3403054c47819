"""Renders what was measured as Markdown tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def render(found: Mapping[str, Any]) -> str:
    """The whole file as Markdown."""
    machine = found["machine"]
    lines = [
        f"Measured on {machine.get('gpu')}; ONNX Runtime {machine.get('onnxruntime imported')}, torch"
        f" {machine.get('torch')}, Python {machine.get('python')}.",
    ]
    for name, section in found["sections"].items():
        lines += ["", f"### {name} ({section['seconds']:.0f} s)", ""]
        if "error" in section:
            lines.append(f"Failed: {section['error'].strip().splitlines()[-1]}")
        elif "skipped" in section:
            lines.append(f"Skipped: {section['skipped']}")
        else:
            result = section["result"]
            lines += table(result if isinstance(result, list) else [result])
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The rows of a Markdown table; a column for each key of any row."""
    flat = [dict(_flat(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in flat:
        yield "| " + " | ".join(_shown(row.get(name)) for name in names) + " |"


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name} ")
        elif name not in ("repeats", "first_failures", "ready_s") or not prefix:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " to ".join(_shown(part) for part in value)
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value).replace("|", "/").replace("\n", " ")
