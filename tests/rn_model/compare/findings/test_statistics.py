import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr, ttest_rel

from rn_model.compare.findings.statistics import (
    by_seed,
    over_tasks,
    paired_difference,
    rank_correlation,
    spread,
)
from tests.rn_model.compare.findings.synthetic import finding, result

accuracies = st.floats(0, 1, allow_nan=False)


@given(st.lists(accuracies, min_size=2, max_size=8))
def test_a_spread_is_mean_and_sample_deviation(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert found.mean == pytest.approx(np.mean(values))
    assert found.deviation == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert found.size == len(values)


def test_a_single_value_has_no_deviation_and_none_has_no_spread() -> None:
    assert spread([0.25]) == (0.25, 0.0, 1)
    assert spread([]) is None


def test_the_mean_over_tasks_takes_seeds_that_all_tasks_have() -> None:
    findings = [
        finding("a/rn/mcc/0", result(0.5)),
        finding("a/rn/mcc/1", result(0.7)),
        finding("b/rn/mcc/0", result(0.9)),
        finding("b/rn/mcc/1", None),
        finding("b/bn/mcc/1", result(0.1)),
    ]
    assert over_tasks(findings, ["a", "b"], "rn", "mcc") == {0: pytest.approx(0.7)}
    assert by_seed(findings, "a", "rn", "mcc", "oracle_target_accuracy") == {0: 0.5, 1: 0.7}


def test_unlabelled_targets_have_no_accuracy() -> None:
    findings = [finding("a/rn/mcc/0", result(None))]
    assert by_seed(findings, "a", "rn", "mcc", "oracle_target_accuracy") == {}
    assert rank_correlation(findings, "a") is None


@given(st.lists(st.tuples(accuracies, accuracies), min_size=3, max_size=12, unique=True))
def test_rank_correlation_is_spearmans(pairs: list[tuple[float, float]]) -> None:
    findings = [
        finding(f"a/rn/mcc/{seed}", result(accuracy, score=score))
        for seed, (score, accuracy) in enumerate(pairs)
    ]
    found = rank_correlation(findings, "a")
    scores, oracle = np.array(pairs).T
    if len(set(scores)) == 1 or len(set(oracle)) == 1:
        assert found is None
    else:
        assert found is not None and found.size == len(pairs)
        assert found.value == pytest.approx(spearmanr(scores, oracle).statistic)


def test_a_difference_is_that_of_a_paired_t_test() -> None:
    one, other = {0: 0.9, 1: 0.8, 2: 0.95, 7: 0.5}, {0: 0.85, 1: 0.81, 2: 0.9, 8: 0.1}
    found = paired_difference(one, other)
    assert found is not None and found.size == 3
    test = ttest_rel([0.9, 0.8, 0.95], [0.85, 0.81, 0.9])
    assert found.mean == pytest.approx(0.03)
    assert found.mean / found.error == pytest.approx(test.statistic)


def test_a_single_pair_has_no_error() -> None:
    found = paired_difference({0: 0.9}, {0: 0.8})
    assert found is not None and math.isnan(found.error)
    assert paired_difference({0: 0.9}, {1: 0.8}) is None
