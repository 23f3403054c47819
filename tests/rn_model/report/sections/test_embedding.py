from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rn_model.report.sections.embedding import class_colors, embed, embedding_charts


def _features(count: int, dimensions: int = 6) -> NDArray[np.float32]:
    return np.random.default_rng(count).normal(size=(count, dimensions)).astype(np.float32)


def _arrays(count: int, *, labels: bool = True) -> dict[str, NDArray[Any]]:
    known = np.arange(count) % 3
    return {
        "before_source": _features(count),
        "before_target": _features(count) + 9,
        "after_source": _features(count),
        "after_target": _features(count),
        "source_label": known,
        "target_label": known if labels else np.full(count, -1),
    }


def test_neighbouring_features_are_neighbouring_points() -> None:
    features = np.concatenate([_features(30), _features(30) + 50])
    points, method = embed(features)
    assert method == "t-SNE" and points.shape == (60, 2)
    near, far = points[:30].mean(axis=0), points[30:].mean(axis=0)
    assert (
        np.linalg.norm(points[:30] - near, axis=1) < np.linalg.norm(points[:30] - far, axis=1)
    ).all()
    np.testing.assert_array_equal(embed(features)[0], points)


@pytest.mark.parametrize(("count", "dimensions"), [(1, 1), (2, 1), (5, 3), (40, 1), (29, 60)])
def test_few_or_narrow_features_get_their_principal_components(count: int, dimensions: int) -> None:
    features = _features(count, dimensions)
    points, method = embed(features)
    assert method == "PCA" and points.shape == (count, 2)
    if dimensions > 1:
        centred = features - features.mean(axis=0)
        singular = np.linalg.svd(centred.astype(np.float64), compute_uv=False)[:2]
        np.testing.assert_allclose(np.linalg.norm(points, axis=0), singular, rtol=1e-5)


def test_features_that_are_all_alike_are_one_point() -> None:
    points, _ = embed(np.full((50, 4), 7.0))
    assert not points.any()


def test_features_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(ValueError, match="finite"):
        embed(np.array([[np.inf, 0.0]]))


def test_each_time_is_shown_by_domain_and_by_class() -> None:
    charts = embedding_charts(_arrays(8), ("a", "b", "c"))
    assert [chart.title for chart in charts] == [
        "By domain, before",
        "By domain, after",
        "By class, before",
        "By class, after",
    ]
    assert [key.label for key in charts[0].legend] == ["source", "target"]
    assert [key.label for key in charts[2].legend] == ["a", "b", "c"]
    assert "8 source and 8 target images" in charts[0].svg
    assert "var(--c2)" in charts[2].svg and "var(--muted)" not in charts[2].svg


def test_target_images_without_labels_are_grey() -> None:
    chart = embedding_charts(_arrays(8, labels=False), ("a", "b", "c"))[2]
    assert "var(--muted)" in chart.svg and "has no labels" in chart.caption


def test_charts_without_features_are_omitted() -> None:
    arrays = _arrays(8)
    del arrays["before_target"]
    assert len(embedding_charts(arrays, ())) == 2
    assert embedding_charts({}, ()) == []


def test_labels_that_do_not_match_the_features_are_an_error() -> None:
    arrays = _arrays(8) | {"source_label": np.zeros(7, dtype=np.int64)}
    with pytest.raises(ValueError, match="source_label"):
        embedding_charts(arrays, ())


@pytest.mark.parametrize("count", [2, 10, 31, 100])
def test_every_class_has_a_colour_of_its_own(count: int) -> None:
    assert len(set(class_colors(count))) == count
