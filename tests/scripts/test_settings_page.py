"""docs/settings.md lists the settings of the code."""

from scripts.settings_page import PAGE, make_page
from service.settings import Settings


def test_page_agrees_with_the_code() -> None:
    assert PAGE.read_text() == make_page(), "run `make docs`"


def test_page_lists_every_setting() -> None:
    page = make_page()
    for name, field in Settings.model_fields.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `RN_{name.upper()}` |")]
        assert field.description is not None
        assert f"| {field.description}" in row


def test_row_gives_default_and_range() -> None:
    page = make_page()
    assert "| `RN_PORT` | `8000` | integer, at least 0, at most 65535 | " in page
    assert "| `RN_BUNDLE` |  | path | " in page
    assert "| `RN_DEVICE` | `cpu` | `cpu` or `cuda` | " in page
