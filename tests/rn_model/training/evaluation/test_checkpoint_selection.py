from dataclasses import replace

from torch import nn

from bundle.scores import Scores
from rn_model.runs.proportion import Proportion
from rn_model.runs.selection import Candidate
from rn_model.training.evaluation.checkpoint_selection import CheckpointSelector


def _candidate(score: float, source_accuracy: float = 0.9) -> Candidate:
    return Candidate(Scores(score, score), source_accuracy)


def _network(value: float) -> nn.Linear:
    network = nn.Linear(1, 1)
    nn.init.constant_(network.weight, value)
    return network


def _kept(selector: CheckpointSelector) -> float:
    network = _network(-1.0)
    selector.restore(network)
    return network.weight.item()


def test_the_best_label_free_score_is_kept() -> None:
    selector = CheckpointSelector(0.9)
    scores = [0.2, 0.5, 0.4, 0.5]
    kept = [selector.offer(_network(n), _candidate(s), n) for n, s in enumerate(scores)]
    assert kept == [True, True, False, False]
    assert (selector.step, selector.stale, _kept(selector)) == (1, 2, 1.0)


def test_a_network_that_forgot_the_source_is_not_kept() -> None:
    selector = CheckpointSelector(0.9, tolerance=0.05)
    assert selector.offer(_network(1), _candidate(0.3, 0.86), 1)
    assert not selector.offer(_network(2), _candidate(0.9, 0.8), 2)
    assert _kept(selector) == 1.0


def test_a_network_good_on_the_source_replaces_one_that_forgot_it() -> None:
    selector = CheckpointSelector(0.9)
    assert selector.offer(_network(1), _candidate(0.9, 0.1), 1)
    assert selector.offer(_network(2), _candidate(0.2, 0.9), 2)
    assert not selector.offer(_network(3), _candidate(0.8, 0.1), 3)
    assert _kept(selector) == 2.0


def test_without_a_floor_the_first_candidate_is_it() -> None:
    selector = CheckpointSelector(None)
    selector.offer(_network(1), _candidate(0.1, 0.7), 1)
    assert selector.floor == 0.7
    assert not selector.offer(_network(2), _candidate(0.5, 0.6), 2)
    assert selector.offer(_network(3), _candidate(0.5, 0.69), 3)


def test_the_last_network_is_kept_if_configured() -> None:
    selector = CheckpointSelector(0.9, last=True)
    for number, score in enumerate([0.9, 0.1]):
        assert selector.offer(_network(number), _candidate(score, 0.1), number)
    assert (selector.step, _kept(selector)) == (1, 1.0)


def test_a_kept_network_does_not_change_with_further_training() -> None:
    selector, network = CheckpointSelector(0.9), _network(1)
    selector.offer(network, _candidate(0.5), 1)
    nn.init.constant_(network.weight, 7.0)
    assert _kept(selector) == 1.0


def test_nothing_is_restored_before_the_first_candidate() -> None:
    assert _kept(CheckpointSelector(0.9)) == -1.0


def test_a_restored_selector_decides_like_the_saved_one() -> None:
    selector, other = CheckpointSelector(None), CheckpointSelector(0.1)
    selector.offer(_network(1), _candidate(0.5, 0.9), 1)
    selector.offer(_network(2), _candidate(0.4, 0.9), 2)
    other.load_state_dict(selector.state_dict())
    assert (other.floor, other.step, other.stale, _kept(other)) == (0.9, 1, 1, 1.0)
    assert not other.offer(_network(3), _candidate(0.45), 3)
    assert other.offer(_network(4), _candidate(0.55), 4)


def test_a_probe_decides_before_source_and_score() -> None:
    selector = CheckpointSelector(0.9)
    found = [
        selector.offer(_network(n), replace(_candidate(score, source), probe=_probe(correct)), n)
        for n, (score, source, correct) in enumerate(
            [(0.5, 0.9, 11), (0.9, 0.9, 10), (0.4, 0.9, 11), (0.1, 0.2, 12), (0.2, 0.2, 12)]
        )
    ]
    assert found == [True, False, False, True, True]


def _probe(correct: int) -> Proportion:
    return Proportion(correct=correct, images=20)
