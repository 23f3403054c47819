"""Features of both domains before and after the adaptation, embedded in two dimensions."""

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from rn_model.report.charts.chart import SERIES, Chart, Key, color, draw, series, short
from rn_model.report.run_files import Arrays

Points = NDArray[np.float64]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]

_MOST = 300
_DIMENSIONS = 50
_FEWEST = 30
_SEED = 0
_TIMES = {"before": "Before the adaptation", "after": "After the adaptation"}


def embedding_charts(arrays: Arrays, names: Sequence[str]) -> list[Chart]:
    """Charts coloured by domain, then by class, each before and after the adaptation.

    Charts without features are omitted.

    Raises:
        ValueError: if the arrays are invalid or inconsistent.
    """
    by_domain: list[Chart] = []
    by_class: list[Chart] = []
    for time, title in _TIMES.items():
        if f"{time}_source" not in arrays or f"{time}_target" not in arrays:
            continue
        parts = [_sample(arrays, time, domain) for domain in ("source", "target")]
        (source, source_label), (target, target_label) = parts
        if not len(source) or not len(target):
            continue
        points, method = embed(np.concatenate([source, target]))
        labels = np.concatenate([source_label, target_label])
        is_target = np.arange(len(points)) >= len(source)
        by_domain.append(_by_domain(title, time, points, is_target, method))
        by_class.append(_by_class(title, time, points, is_target, labels, names))
    return by_domain + by_class


def embed(features: NDArray[Any]) -> tuple[Points, str]:
    """Embed features ``(N, D)`` in two dimensions, ``(N, 2)``; return also the name of the method.

    The method is t-SNE on the first principal components, or PCA if there are few points or all are
    equal.

    Raises:
        ValueError: if a feature is not finite.
    """
    if features.ndim != 2 or not np.isfinite(features).all():
        raise ValueError("features must be finite, of shape (images, features)")
    count, dimensions = features.shape
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    if not centred.any():
        return np.zeros((count, 2)), "PCA"
    most = min(count, dimensions, _DIMENSIONS)
    components = PCA(n_components=most, random_state=_SEED).fit_transform(centred)
    if count < _FEWEST or most < 2:
        return np.pad(components, ((0, 0), (0, max(0, 2 - most))))[:, :2], "PCA"
    tsne = TSNE(init="pca", perplexity=min(30, (count - 1) // 3), random_state=_SEED)
    # For so few points, many threads are slower than one, and much slower if the machine is busy.
    with threadpool_limits(1):
        points: Points = tsne.fit_transform(components).astype(np.float64)
    return points, "t-SNE"


def class_colors(count: int) -> list[str]:
    """One colour per class: from the palette of the page, or else around the colour wheel."""
    if count <= SERIES:
        return [series(number) for number in range(count)]
    # Alternating brightness separates neighbours on the wheel.
    return [to_hex(hsv_to_rgb(k / count, 0.75, (0.85, 0.6)[k % 2])) for k in range(count)]


def _sample(arrays: Arrays, time: str, domain: str) -> tuple[NDArray[Any], Labels]:
    features = arrays[f"{time}_{domain}"]
    labels = arrays.get(f"{domain}_label", np.full(len(features), -1))
    if labels.shape != (len(features),):
        raise ValueError(
            f"{domain}_label has shape {labels.shape}, but there are {len(features)} features"
        )
    # The same images before and after, so that the charts can be compared.
    order = np.random.default_rng(_SEED).permutation(len(features))[:_MOST]
    return features[np.sort(order)], labels[np.sort(order)]


def _by_domain(title: str, time: str, points: Points, is_target: Mask, method: str) -> Chart:
    def paint(axes: Axes) -> None:
        for domain, name in ((~is_target, "c0"), (is_target, "c1")):
            _scatter(axes, points[domain], [name] * int(domain.sum()), target=name == "c1")
        _empty(axes)

    return Chart(
        f"By domain, {time}",
        draw(
            f"{time}-domain",
            f"{title}: {method} of the features of {int((~is_target).sum())} source and"
            f" {int(is_target.sum())} target images, coloured by domain.",
            paint,
            size=(4.6, 3.6),
        ),
        f"{method} of the classifier's input. Points of aligned domains mix.",
        (Key("source", "c0", "dot"), Key("target", "c1", "ring")),
    )


def _by_class(
    title: str,
    time: str,
    points: Points,
    is_target: Mask,
    labels: Labels,
    names: Sequence[str],
) -> Chart:
    count = max(int(labels.max()) + 1, len(names), 1)
    colors = class_colors(count)

    def paint(axes: Axes) -> None:
        for domain in (~is_target, is_target):
            own = [colors[label] if label >= 0 else "muted" for label in labels[domain]]
            _scatter(axes, points[domain], own, target=domain is is_target)
        _empty(axes)

    known = bool((labels[is_target] >= 0).any())
    caption = "Dots are source images, rings are target images"
    caption += ", coloured by true class." if known else "; the target has no labels."
    keys = [Key(short(name), colors[k], "dot") for k, name in enumerate(names[:SERIES])]
    if count > SERIES:
        keys = []
        caption += (
            f" The {count} classes share the colour wheel: look for mixed clusters, not for names."
        )
    return Chart(
        f"By class, {time}",
        draw(
            f"{time}-class",
            f"{title}: the same points, coloured by {count} classes.",
            paint,
            size=(4.6, 3.6),
        ),
        caption,
        tuple(keys),
    )


def _scatter(axes: Axes, points: Points, names: Sequence[str], *, target: bool) -> None:
    paint = [name if name.startswith("#") else color(name) for name in names]
    axes.scatter(
        points[:, 0].round(2),
        points[:, 1].round(2),
        s=12 if target else 9,
        facecolor="none" if target else paint,
        edgecolor=paint if target else "none",
        linewidth=0.9,
        alpha=0.8,
    )


def _empty(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[:].set_visible(False)
