import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml

from rn_model.report import page as page_module
from rn_model.report import write_report
from tests.rn_model.report.synthetic import EMOTIONS, OFFICE, make_run

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Tags, tables and text of a page; fails if a tag is not closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += data

    def table(self, *head: str) -> list[list[str]]:
        """The rows of the table with these column headers."""
        (rows,) = (rows[1:] for rows in self.tables if rows[0][: len(head)] == list(head))
        return rows

    def alt_texts(self) -> Iterator[str | None]:
        """Descriptions of the drawings."""
        return (attributes.get("aria-label") for tag, attributes in self.tags if tag == "svg")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with labels, and its report; tests must not change it."""
    path = make_run(tmp_path_factory.mktemp("runs") / "run", images=14, layers=4)
    assert write_report(path) == path / "report.html"
    return path


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return Page(run / "report.html")


def _recall(path: Path) -> dict[str, str]:
    """Recall of each class, computed in a loop."""
    with np.load(path / "evaluation.npz") as arrays:
        best = [
            max(range(len(row)), key=row.__getitem__)
            for row in arrays["target_probability"].tolist()
        ]
        true = arrays["target_true"].tolist()
    names = json.loads((path / "result.json").read_text())["classes"]
    recall = {}
    for k, name in enumerate(names):
        of_class = [predicted for predicted, label in zip(best, true, strict=True) if label == k]
        recall[name] = f"{100 * of_class.count(k) / len(of_class):.1f}%"
    return recall


def test_the_table_gives_the_recall_of_each_class(run: Path, page: Page) -> None:
    rows = page.table("Class", "Recall")
    assert {row[0]: row[1] for row in rows} == _recall(run)
    values = [float(row[1][:-1]) for row in rows]
    assert values == sorted(values)


def test_the_confusion_matrix_is_there_as_a_table(run: Path, page: Page) -> None:
    rows = page.table("True \\ predicted")
    counts = np.array([[int(cell) for cell in row[1:]] for row in rows])
    with np.load(run / "evaluation.npz") as arrays:
        expected = np.zeros((7, 7), dtype=int)
        predicted = arrays["target_probability"].argmax(axis=1)
        np.add.at(expected, (arrays["target_true"], predicted), 1)
    np.testing.assert_array_equal(counts, expected)
    assert [row[0] for row in rows] == list(EMOTIONS)


def test_the_evaluations_are_a_table_with_the_kept_one_marked(page: Page) -> None:
    rows = page.table("Step", "Information")
    assert len(rows) == 8
    (kept,) = (row for row in rows if "kept" in row[0])
    assert kept[0].split() == ["350", "kept"]
    assert "below minimum" in rows[-1][4]


def test_the_layers_are_a_table(run: Path, page: Page) -> None:
    layers = json.loads((run / "layers.json").read_text())
    rows = page.table("Layer", "Channels")
    assert [row[0] for row in rows] == [layer["name"] for layer in layers]
    assert rows[1][3] == f"{layers[1]['shift_mean']:.3g}"
    assert rows[1][5] == f"{layers[1]['perplexity_mean'] / min(512, layers[1]['channels']):.3g}"
    assert rows[1][9] == "—"


def test_the_head_says_what_was_run_and_the_oracle_is_named_so(page: Page) -> None:
    for text in ("amazon to webcam", "cdan+e + mcc", "timm:resnet18", "12 min 34 s"):
        assert text in page.text
    oracle = page.text[page.text.index("Oracle") :]
    assert "not used for training or selection" in oracle[:300]


def test_the_configuration_is_there_in_full(run: Path, page: Page) -> None:
    config = (run / "config.yaml").read_text()
    shown = page.text[page.text.index("name: amazon to webcam") :]
    assert yaml.safe_load(shown[: shown.index("Fingerprints")]) == yaml.safe_load(config)


def test_every_drawing_is_described_and_no_identifier_is_used_twice(page: Page) -> None:
    texts = list(page.alt_texts())
    assert len(texts) == 1 + 5 + 1 + 4 + 3
    assert all(text and len(text) > 30 for text in texts)
    identifiers = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(identifiers)) == len(identifiers)


def test_the_page_needs_nothing_from_elsewhere(run: Path, page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("script", "iframe", "object", "embed")
        for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:"))
    text = (run / "report.html").read_text()
    assert not re.search(r"url\((?!#)|@import", text)
    policies = [a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_names_from_outside_are_text(tmp_path: Path) -> None:
    evil = "</td></pre></style><script>alert(1)</script><img src=x onerror='alert(2)'>\"&"
    names = [f"{evil}{k}" for k in range(3)]
    path = make_run(tmp_path / "<b>run", names, images=5, layers=2)
    config = yaml.safe_load((path / "config.yaml").read_text())
    config["task"]["source"]["name"] = evil
    config["backbone"]["name"] = evil
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    for name, key in (("result.json", "name"), ("run.json", "weights_sha256")):
        value = json.loads((path / name).read_text()) | {key: evil}
        (path / name).write_text(json.dumps(value))
    layers = json.loads((path / "layers.json").read_text())
    layers[0]["name"] = evil
    (path / "layers.json").write_text(json.dumps(layers))
    history = (path / "history.jsonl").read_text()
    (path / "history.jsonl").write_text(history.replace('"mcc"', json.dumps(evil)))

    page = Page(write_report(path))

    assert "script" not in {tag for tag, _ in page.tags}
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert images and all(set(image) == {"src", "alt", "loading"} for image in images)
    assert all((image["src"] or "").startswith("data:image/jpeg;base64,") for image in images)
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    assert {row[0] for row in page.table("Class", "Recall")} == set(names)
    assert page.table("Layer", "Channels")[0][0] == evil


def test_without_labels_the_predictions_are_counted(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", OFFICE, labels=False, kind="autodial", images=14, layers=4)
    page = Page(write_report(path))
    with np.load(path / "evaluation.npz") as arrays:
        probability = arrays["target_probability"]
    predicted = probability.argmax(axis=1)
    for name, count, share, confidence in page.table("Class", "Predicted"):
        own = predicted == OFFICE.index(name)
        assert int(count) == own.sum() and share == f"{own.mean():.1%}"
        expected = f"{probability[own].max(axis=1).mean():.1%}" if own.any() else "—"
        assert confidence == expected
    assert "oracle" not in page.text.lower()
    assert "Largest confusions" not in page.text and "AutoDIAL" in page.text


def test_hundreds_of_classes_have_the_numbers_of_the_picture(tmp_path: Path) -> None:
    names = [f"thing {k}" for k in range(60)]
    path = make_run(tmp_path / "run", names, finished=False)
    every = np.arange(60)
    np.savez(path / "evaluation.npz", target_probability=np.eye(60), target_true=np.roll(every, 1))
    page = Page(write_report(path))
    rows = page.table("Class", "Recall")
    assert {row[0] for row in rows} == {f"{k} thing {k}" for k in every}
    assert len(page.table("True", "Predicted")) == 20
    assert not any(rows[0][0].startswith("True \\") for rows in page.tables)


@pytest.mark.parametrize(
    "missing",
    [
        {
            "config.yaml": "The configuration is not available.",
            "result.json": "This run is not finished",
            "run.json": "record of the network",
        },
        {
            "history.jsonl": "No training history is available.",
            "evaluation.npz": "No predictions are available",
            "layers.json": "No diagnostics of the layers are available.",
        },
    ],
)
def test_missing_parts_are_named_and_the_others_are_shown(
    tmp_path: Path, missing: dict[str, str]
) -> None:
    path = make_run(tmp_path / "run", images=3, layers=2)
    for file in missing:
        (path / file).unlink()
    page = Page(write_report(path))
    for file, said in missing.items():
        assert said in page.text and f"{file} is missing" in page.text
    assert page.text.count("is missing (") == 3
    assert len(page.tables) == (2 if "layers.json" in missing else 5)


def test_the_report_of_an_interrupted_run_replaces_an_earlier_one(
    tmp_path: Path,
) -> None:
    path = make_run(tmp_path / "run", finished=False)
    (path / "report.html").write_text("of an earlier time")
    page = Page(write_report(path))
    assert "of an earlier time" not in page.text
    assert "the last recorded step is 200 of 400 of the adaptation" in page.text
    assert len(list(page.alt_texts())) == 5


def test_inconsistent_parts_are_noted(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", images=3, layers=2)
    (path / "layers.json").write_text('[{"name": "bn1"}]')
    np.savez(path / "evaluation.npz", target_probability=np.eye(3), target_true=np.array([9, 0, 0]))
    page = Page(write_report(path))
    assert "evaluation.npz has unexpected contents" in page.text
    assert "layers.json has unexpected contents" in page.text


def test_an_earlier_report_stays_whole_when_rendering_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(tmp_path / "run", finished=False)
    before = write_report(path).read_bytes()

    def fail(*arguments: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(page_module, "facts", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        write_report(path)
    assert (path / "report.html").read_bytes() == before
    assert {file.name for file in path.iterdir()} == {"config.yaml", "history.jsonl", "report.html"}


def test_equal_runs_have_equal_pages(run: Path) -> None:
    before = (run / "report.html").read_bytes()
    assert write_report(run).read_bytes() == before


def test_the_gain_comes_first_and_the_data_have_their_paths(page: Page) -> None:
    assert page.text.index("What the run gained") < page.text.index("Kept step")
    assert next(page.alt_texts()) == (
        "Target accuracy before and after the adaptation: All images 62.2% to 82.2%."
    )
    rows = page.table("Data set", "Images", "Place")
    assert rows == [
        ["source", "2,535", "/data/office-31/amazon"],
        ["target", "795", "/data/office-31/webcam"],
    ]
    shares = page.table("Share of class", "Source")
    assert shares[0] == ["angry", "14.3%", "60.0%"]
    assert "The class shares of source and target seem to differ by 46%" in page.text


def test_a_probe_and_an_unused_adaptation_are_stated(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", images=5, layers=2)
    lines = [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]
    first = next(e for e in lines if e["kind"] == "evaluation" and e["stage"] == "adapt")
    unadapted = [
        {**first, "step": 0, "statistics": domain, "probe_correct": correct}
        for domain, correct in (("source", 14), ("target", 9))
    ]
    (path / "history.jsonl").write_text("".join(f"{json.dumps(e)}\n" for e in [*lines, *unadapted]))
    result = json.loads((path / "result.json").read_text())
    result |= {"chosen_step": 0, "target_statistics": False}
    result["probe"] = {"correct": 14, "images": 20}
    (path / "result.json").write_text(json.dumps(result))
    page = Page(write_report(path))
    assert (
        "The adaptation was not used: the source-only network was kept, with its own" in page.text
    )
    assert "14 of 20 (70.0%, 95 % interval 48.1% to 85.5%) correct" in page.text
    rows = page.table("Step", "Probe")
    (kept,) = (row for row in rows if "kept" in row[0])
    assert kept[0].split() == ["0", "statistics", "of", "the", "source", "kept"]
    assert kept[1] == "14"
