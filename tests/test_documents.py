"""Files, modules and pages that the documents name exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
ROOMS = ("bench", "bundle", "docs", "export", "rn", "rn_model", "scripts", "service", "tests")

LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")
FILE = re.compile(rf"`((?:{'|'.join(ROOMS)})/[\w./-]*)`")
MODULE = re.compile(rf"python -m ((?:{'|'.join(ROOMS)})\b(?:\.\w+)*)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_things_exist(document: Path) -> None:
    text = document.read_text()
    for link in LINK.findall(text):
        if "://" not in link:
            assert (document.parent / link).exists(), f"link to {link}"
    for name in FILE.findall(text):
        assert (ROOT / name).exists(), f"file {name}"
    for name in MODULE.findall(text):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name


def test_something_is_found() -> None:
    found = "".join(path.read_text() for path in DOCUMENTS)
    assert len(LINK.findall(found)) > 20
    assert len(FILE.findall(found)) > 20
    assert len(MODULE.findall(found)) > 5


def test_pages_are_listed() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in ROOT.glob("docs/*.md")} - {"README.md", "index.md"}
    assert {link for link in LINK.findall(index) if link.endswith(".md")} == pages
