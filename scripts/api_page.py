"""Writes docs/api.md from the description of the HTTP API: ``python -m scripts.api_page``."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.api_description import api_description

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
TEXT = """\
# The HTTP API

The service describes itself at `/docs`, and for programs at `/openapi.json`. Paths about predictions,
adaptation, versions and events also exist under `/targets/{{target}}`, `/models/{{model}}` and
`/models/{{model}}/targets/{{target}}`. Errors are `application/problem+json` (RFC 9457): `type` says which,
`detail` what was wrong and what would be right. [Keys](keys.md) says which role an operation needs.

{operations}

# Bodies

{schemas}

This page is written by `python -m scripts.api_page`.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(make_page())


def make_page() -> str:
    """The page as Markdown."""
    description = json.loads(api_description())
    by_tag: dict[str, list[str]] = defaultdict(list)
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["other"])[0]
            by_tag[tag].append("\n".join(_operation(method.upper(), path, operation)))
    operations = [f"## {tag}\n\n" + "\n\n".join(texts) for tag, texts in by_tag.items()]
    schemas = [
        "\n".join(_schema(name, schema))
        for name, schema in description["components"]["schemas"].items()
        if schema.get("properties")
    ]
    return TEXT.format(operations="\n\n".join(operations), schemas="\n\n".join(schemas))


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method} {path}`"
    yield ""
    yield operation.get("description") or operation["summary"]
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("", "| parameter | in | value | meaning |", "|---|---|---|---|")
    for given in parameters:
        name = f"`{given['name']}`" + (" (required)" if given["required"] else "")
        meaning = _cell(given.get("description", ""))
        yield f"| {name} | {given['in']} | {_type(given['schema'])} | {meaning} |"
    body = operation.get("requestBody")
    if body is not None:
        kinds = ", ".join(
            f"`{kind}`{_of(content)}" for kind, content in sorted(body["content"].items())
        )
        yield from ("", f"Body: {kinds}. {body.get('description', '')}".rstrip())
    yield ""
    yield from ("| answer | what it says |", "|---|---|")
    yield from _answers(operation["responses"])


def _answers(responses: dict[str, Any]) -> Iterator[str]:
    for status, response in responses.items():
        contents = response.get("content", {}).values()
        found = next((_of(content) for content in contents), "")
        yield f"| {status} | {found.strip() or _cell(response['description'])} |"


def _of(content: dict[str, Any]) -> str:
    shown = _type(content.get("schema", {}))
    return f" {shown}" if shown.startswith("[") else ""


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield schema.get("description", "")
    yield from ("", "| field | value | meaning |", "|---|---|---|")
    required = schema.get("required", [])
    for field, given in schema["properties"].items():
        shown = f"`{field}`" + (" (required)" if field in required else "")
        yield f"| {shown} | {_type(given)} | {_cell(given.get('description', ''))} |"


def _type(schema: dict[str, Any]) -> str:
    """What a value may be, in words; a schema of its own as a link."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    by_name = schema.get("additionalProperties")
    if isinstance(by_name, dict):
        return f"{_type(by_name)} by name"
    return str(schema.get("type", "any"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main()
