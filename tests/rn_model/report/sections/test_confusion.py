import re

import numpy as np
import pytest

from rn_model.report.sections.classes import ClassReport, class_report
from rn_model.report.sections.confusion import confusion_chart


def _report(classes: int) -> ClassReport:
    true = np.repeat(np.arange(classes), 2)
    predicted = np.where(np.arange(2 * classes) == 0, 1, true)
    arrays = {"target_probability": np.eye(classes)[predicted], "target_true": true}
    report = class_report(arrays, [f"class{k}" for k in range(classes)])
    assert report is not None
    return report


def _texts(svg: str) -> list[str]:
    return [text.strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def test_few_classes_have_their_counts_in_the_cells() -> None:
    texts = _texts(confusion_chart(_report(3)).svg)
    assert sorted(t for t in texts if t.isdigit()) == ["1", "1", "2", "2"]
    assert texts.count("class2") == 2


@pytest.mark.parametrize("classes", [13, 40])
def test_more_classes_have_names_at_the_edges_only(classes: int) -> None:
    chart = confusion_chart(_report(classes))
    texts = _texts(chart.svg)
    assert chart.dense and "class12" in texts and not any(t.isdigit() for t in texts)


def test_hundreds_of_classes_are_one_picture() -> None:
    chart = confusion_chart(_report(345))
    assert "data:image/png;base64" in chart.svg and "class12" not in chart.svg
    assert "Class numbers are those in the table" in chart.caption
    assert len(chart.svg) < 200_000


def test_the_description_gives_the_accuracy() -> None:
    assert "3 classes on 6 labelled images, accuracy 83.3%" in confusion_chart(_report(3)).svg
