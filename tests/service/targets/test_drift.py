"""What a target knows of its drift."""

from pathlib import Path

import numpy as np
import pytest

from bundle import load_bundle
from export import export_bundle
from rn_model.runs.class_shares import ClassShares
from tests.networks import SMALL, small_model
from tests.service.online_targets import target_of
from tests.service.pictures import flat, noise

CONFUSION = ((0.8, 0.1, 0.1), (0.0, 0.9, 0.1), (0.2, 0.0, 0.8))


@pytest.fixture(scope="module")
def with_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that knows how the classes of its source are confused."""
    path = tmp_path_factory.mktemp("bundle") / "bundle"
    known = ClassShares(
        source=(0.2, 0.3, 0.5), target=(0.2, 0.3, 0.5), images=100, confusion=CONFUSION
    )
    export_bundle(small_model(), path, SMALL, images=noise(300, 7), class_shares=known)
    return path


def test_class_shares_are_corrected_by_the_confusion_of_the_source(
    with_classes: Path, tmp_path: Path
) -> None:
    guards = load_bundle(with_classes).manifest.guards
    assert guards is not None
    assert (guards.confusion, guards.source_shares) == (CONFUSION, (0.2, 0.3, 0.5))
    with target_of(with_classes, tmp_path) as target:
        assert target.drift().estimated is None
        target.adapt(list(noise(48)))
        report = target.drift()
    assert report.estimated is not None
    shares, predicted = report.estimated.shares, report.recent.shares
    assert shares.sum() == pytest.approx(1)
    # Nearer to what explains the predictions, where the source's shares are believed for 50 images.
    pulled = (report.estimated.images * predicted + 50 * np.array((0.2, 0.3, 0.5))) / 98
    assert np.abs(shares - pulled).max() > 0.01
    assert 0 < report.estimated.distance < 1


def test_versions_of_other_domains_say_how_far_off_the_shares_are(
    with_classes: Path, tmp_path: Path
) -> None:
    with target_of(with_classes, tmp_path, commit_every=64) as target:
        target.adapt(list(noise(40, 1)))
        outcome = target.adapt(list(flat(64, 2)))
    assert outcome.domain == 1 and outcome.made is not None
    assert 0 <= outcome.made.scores["share_distance"] <= 1


def test_distances_are_those_of_the_moments(bundle_path: Path, tmp_path: Path) -> None:
    with target_of(bundle_path, tmp_path, commit_every=1000) as target:
        before = target.drift()
        assert (before.shift, before.sites, before.held) == (0.0, [], 0)
        target.adapt(list(noise(32)))
        report, state = target.drift(), target.record.state
        base = load_bundle(bundle_path)
    distance = np.abs(state.moments.mean - base.target.mean) / np.sqrt(base.target.variance)
    assert report.shift == pytest.approx(distance.mean())
    for site, described in zip(base.manifest.sites, report.sites, strict=True):
        own = distance[site.offset : site.offset + site.channels].mean()
        # Version 0 is served: the two distances are the same.
        assert described.mean == pytest.approx(own) == described.served
