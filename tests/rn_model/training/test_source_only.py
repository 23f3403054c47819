import os
from pathlib import Path

import pytest
import torch

from rn_model.layers import Normalization
from rn_model.training.context import open_context
from rn_model.training.evaluation.measurement import Measurement, measure
from rn_model.training.records.source_weights import SOURCE_WEIGHTS, load_source
from rn_model.training.run import train_source
from rn_model.training.source_only import measure_source_only
from tests.rn_model.training.running import config, tiny

MOST = 30


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    return train_source(config(tiny(folder)), folder / "run")


def measured(weights: Path, share: bool = True, **normalization: object) -> Measurement:
    """The network of a run with these weights, as the end of the run measures it."""
    raw = tiny(weights.parents[1], normalization={"kind": "rn", **normalization})
    raw["training"]["population_images"] = MOST
    context = open_context(config(raw), weights.parent)
    network = context.new_network(context.config.normalization).eval()
    load_source(weights, network)
    if not share:
        return measure(network, context.task, context.reader, MOST, max_labelled=MOST)
    return measure_source_only(context, network, weights)


@pytest.mark.parametrize("kind", ["bn", "adabn", "dsbn", "autodial", "rn", "transnorm"])
def test_what_runs_share_is_what_each_would_measure(kind: str, weights: Path) -> None:
    shared = measured(weights, kind="bn")
    found = measured(weights, kind=kind)
    assert (found is shared) == (kind != "transnorm")
    own = measured(weights, share=False, kind=kind)
    for name in ("target", "labelled", "source"):
        one, other = vars(getattr(found, name)), vars(getattr(own, name))
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert (found.oracle, found.candidate) == (own.oracle, own.candidate)


def test_options_and_weights_are_told_apart(weights: Path) -> None:
    first = measured(weights)
    assert measured(weights, correlation_scale=2.0) is not first
    first = measured(weights)
    assert measured(weights) is first
    changed = weights.stat().st_mtime_ns + 10**9
    os.utime(weights, ns=(changed, changed))
    assert measured(weights) is not first


def test_a_network_of_one_run_is_measured_each_time(weights: Path) -> None:
    context = open_context(config(tiny(weights.parents[1])), weights.parent)
    network = context.new_network(Normalization(kind="rn")).eval()
    load_source(weights.parent / SOURCE_WEIGHTS, network)
    first = measure_source_only(context, network, None)
    assert measure_source_only(context, network, None) is not first
