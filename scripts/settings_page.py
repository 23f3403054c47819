"""Writes docs/settings.md from the settings of the service: ``python -m scripts.settings_page``."""

import inspect
from pathlib import Path
from typing import Any

from pydantic import AliasChoices

from rn.commands.serve import serve
from service.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
TEXT = """\
# Settings of the service

Each setting is an environment variable. `rn serve BUNDLE` also takes {flags} as flags; a flag takes
precedence. The service does not start with a value outside the allowed range.

| variable | default | value | meaning |
|---|---|---|---|
{rows}

`RN_DEVICE=cuda` needs the extra `gpu` instead of `cpu`.

This page is written by `python -m scripts.settings_page`.
"""
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}


def main() -> None:
    """Write the page."""
    PAGE.write_text(make_page())


def make_page() -> str:
    """The page as Markdown."""
    schema = Settings.model_json_schema(by_alias=False)
    required = schema.get("required", [])
    rows = [_row(name, field, name in required) for name, field in schema["properties"].items()]
    return TEXT.format(flags=_flags(), rows="\n".join(rows))


def _flags() -> str:
    parameters = inspect.signature(serve).parameters
    names = [f"`--{name.replace('_', '-')}`" for name in parameters if name != "bundle"]
    known = [name for name in names if name.strip("`-").replace("-", "_") in Settings.model_fields]
    return f"{', '.join(known[:-1])} and {known[-1]}"


def _row(name: str, field: dict[str, Any], required: bool) -> str:
    default = field.get("default")
    if required:
        shown = "(required)"
    elif default in (None, [], ""):
        shown = ""
    else:
        shown = f"`{str(default).lower() if isinstance(default, bool) else default}`"
    cells = (f"`RN_{name.upper()}`", shown, _value(field), field["description"] + _old_names(name))
    return "| " + " | ".join(cells) + " |"


def _old_names(name: str) -> str:
    """Other variables that a setting is read from."""
    alias = Settings.model_fields[name].validation_alias
    if not isinstance(alias, AliasChoices):
        return ""
    return f" Formerly {', '.join(f'`{choice}`' for choice in alias.choices[1:])}."


def _value(field: dict[str, Any]) -> str:
    """The kind of value that a setting takes, and its range."""
    (kind,) = [one for one in field.get("anyOf", [field]) if one.get("type") != "null"]
    if "enum" in kind:
        return " or ".join(f"`{value}`" for value in kind["enum"])
    plain = {"array": "names, separated by commas", "boolean": "`true` or `false`"}
    name = {"path": "path", "password": "secret", None: plain.get(kind["type"], kind["type"])}[
        kind.get("format")
    ]
    bounds = [text.format(kind[bound]) for bound, text in BOUNDS.items() if bound in kind]
    return ", ".join([name, *bounds])


if __name__ == "__main__":
    main()
