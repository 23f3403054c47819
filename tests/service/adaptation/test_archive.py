import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from bundle import Bundle, load_bundle
from bundle.moments import FlatMoments
from service.adaptation.archive import FORMAT, Archive, ArchiveBuilder, ArchiveError
from service.adaptation.memory import WINDOW, Arrival, DomainMemory
from service.adaptation.outcome import BatchOutcome
from service.adaptation.state import OnlineState


@pytest.fixture(scope="module")
def bundle(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


def part(bundle: Bundle, count: int, seed: int, spread: float = 1.0) -> BatchOutcome:
    """What would be observed of ``count`` images; digests count from ``1000 * seed``."""
    random = np.random.default_rng(seed)
    channels, classes = bundle.manifest.channels, len(bundle.manifest.classes)
    moments = FlatMoments(
        random.normal(0, spread, channels), np.square(random.normal(0, spread, channels))
    )
    memory = DomainMemory()
    memory.window.extend(
        Arrival(random.normal(size=11), 1000 * seed + place, 0, None, "admitted")
        for place in range(count)
    )
    memory.count_classes(random.dirichlet(np.ones(classes), count), count)
    state = OnlineState(moments, float(count), count)
    return BatchOutcome(
        count,
        (),
        (),
        state,
        moments,
        float(count),
        memory.to_bytes(),
        0,
        None,
        None,
        False,
        (),
        count,
    )


def built(bundle: Bundle, *sizes: int) -> Archive:
    builder = ArchiveBuilder(bundle)
    for seed, size in enumerate(sizes):
        builder.add(part(bundle, size, seed))
    return builder.build()


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 64), min_size=1, max_size=6).filter(lambda all: sum(all) >= 32),
    spread=st.floats(1e-3, 1e3),
)
def test_moments_are_those_of_all_images_together(
    bundle: Bundle, sizes: list[int], spread: float
) -> None:
    parts = [part(bundle, size, seed, spread) for seed, size in enumerate(sizes)]
    builder = ArchiveBuilder(bundle)
    for each in parts:
        builder.add(each)
    found = builder.build()
    weights = np.array(sizes) / sum(sizes)
    all_moments = [each.moments for each in parts if each.moments is not None]
    mean = sum(w * m.mean for w, m in zip(weights, all_moments, strict=True))
    second = sum(
        w * (m.variance + np.square(m.mean)) for w, m in zip(weights, all_moments, strict=True)
    )
    np.testing.assert_allclose(found.moments.mean, mean, rtol=1e-6, atol=1e-6 * spread)
    np.testing.assert_allclose(
        found.moments.variance, second - np.square(mean), rtol=1e-5, atol=1e-6 * spread**2
    )
    assert found.images == found.weight == sum(sizes)


def test_a_file_is_read_as_it_was_written(bundle: Bundle) -> None:
    archive = built(bundle, 64, 64, 10)
    again = Archive.from_bytes(archive.to_bytes(), bundle)
    assert again.to_bytes() == archive.to_bytes()
    assert again.images == 138 and again.moments.fingerprint() == archive.moments.fingerprint()
    assert len(again.arrivals(3, "site")) == len(again.features)


@pytest.mark.parametrize("parts", [1, 2, 3, 9, 40])
def test_the_sample_is_spread_over_all_images(bundle: Bundle, parts: int) -> None:
    archive = built(bundle, *([64] * parts))
    places = [int(d) // 1000 * 64 + int(d) % 1000 for d in archive.digests]
    gaps = set(np.diff(places).tolist())
    assert len(gaps) == 1 and 32 <= len(places) <= WINDOW
    assert places[0] == 0 and places[-1] >= 64 * parts - 2 * gaps.pop()


def test_too_few_images_are_no_archive(bundle: Bundle) -> None:
    with pytest.raises(
        ArchiveError, match=r"^31 images can be used, and 32 are needed; post fewer to /adapt$"
    ):
        built(bundle, 31)
    with pytest.raises(ArchiveError, match=r"^0 images"):
        built(bundle)


def test_a_part_without_usable_images_changes_nothing(bundle: Bundle) -> None:
    empty = replace(part(bundle, 5, 9), moments=None)
    builder = ArchiveBuilder(bundle)
    for each in (part(bundle, 40, 0), empty):
        builder.add(each)
    assert builder.build().to_bytes() == built(bundle, 40).to_bytes()


def test_content_that_is_no_archive_is_refused(bundle: Bundle) -> None:
    good = built(bundle, 64)

    def refused(content: bytes, reason: str) -> None:
        with pytest.raises(ArchiveError, match=reason) as caught:
            Archive.from_bytes(content, bundle)
        assert "\n" not in str(caught.value)

    refused(b"", "is not a safetensors file.*send a file that `rn observe` wrote")
    refused(save({"a": np.zeros(2)}), "does not hold moments; send a file that `rn observe` wrote")
    refused(save({"a": np.zeros(2)}, metadata={FORMAT: "{}"}), "observed with another bundle")
    described = json.dumps({"bundle": bundle.fingerprint, "images": 64})
    refused(save({"a": np.zeros(2)}, metadata={FORMAT: described}), "must hold the arrays mean, ")
    refused(replace(good, bundle="0" * 64).to_bytes(), "observed with another bundle")
    refused(replace(good, images=31).to_bytes(), "moments of 31 images; 32 to")
    refused(replace(good, images=True).to_bytes(), "no whole number")
    refused(replace(good, weight=0.0).to_bytes(), "the weight of 64 images is 0")
    refused(replace(good, weight=10_000.0).to_bytes(), "the weight of 64 images is 10000")
    refused(replace(good, shares=-good.shares).to_bytes(), "class shares of 64 images sum to -64")
    refused(
        replace(good, shares=good.shares * 2).to_bytes(), "class shares of 64 images sum to 128"
    )
    refused(replace(good, features=good.features[:10]).to_bytes(), "features must be float64")
    refused(
        replace(good, features=good.features[:10], digests=good.digests[:10]).to_bytes(),
        "features of 10 images; 32 to 64 are needed",
    )
    refused(replace(good, features=good.features * np.inf).to_bytes(), "features are not finite")
    mean, variance = good.moments
    refused(
        replace(good, moments=FlatMoments(mean, -1 - variance)).to_bytes(), "variance is negative"
    )
    refused(
        replace(good, moments=FlatMoments(mean[1:], variance)).to_bytes(), "mean must be float32"
    )
    infinite = FlatMoments(mean * np.inf, variance)
    refused(replace(good, moments=infinite).to_bytes(), "moments are not finite|NaN")
