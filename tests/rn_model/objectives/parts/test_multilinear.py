import pytest
import torch

from rn_model.objectives import MultilinearMap, multilinear_map
from tests.rn_model.objectives.numerics import normal


def test_multilinear_map_is_every_product() -> None:
    joint = multilinear_map(torch.tensor([[2.0, 3.0]]), torch.tensor([[0.1, 0.2, 0.7]]))
    torch.testing.assert_close(joint, torch.tensor([[0.2, 0.3, 0.4, 0.6, 1.4, 2.1]]))


@pytest.mark.parametrize(("features", "classes"), [(64, 64), (4096, 1)])
def test_up_to_4096_entries_the_map_is_exact(features: int, classes: int) -> None:
    joint_map = MultilinearMap(features, classes)
    assert joint_map.out_features == 4096
    assert not list(joint_map.buffers())
    x, g = normal(2, features), normal(2, classes, seed=1)
    torch.testing.assert_close(joint_map(x, g), multilinear_map(x, g))


def test_above_that_it_is_the_product_of_two_random_projections() -> None:
    torch.manual_seed(0)
    joint_map = MultilinearMap(65, 64, size=3)
    x, g = normal(1, 65), normal(1, 64, seed=1)
    assert joint_map.feature_matrix is not None and joint_map.class_matrix is not None
    by_feature = joint_map.feature_matrix.tolist()
    by_class = joint_map.class_matrix.tolist()
    expected = [
        sum(x[0, i].item() * by_feature[i][s] for i in range(65))
        * sum(g[0, k].item() * by_class[k][s] for k in range(64))
        / 3**0.5
        for s in range(3)
    ]
    assert joint_map(x, g)[0].tolist() == pytest.approx(expected, rel=1e-9)


def test_inner_products_are_kept_in_the_mean() -> None:
    torch.manual_seed(0)
    joint_map = MultilinearMap(90, 50, size=50_000)
    x, g = normal(2, 90), normal(2, 50, seed=1)
    x[1], g[1] = x[0] + 0.3 * x[1], g[0] + 0.3 * g[1]
    joint = joint_map(x, g)
    exact = multilinear_map(x, g)
    expected = exact @ exact.T
    torch.testing.assert_close(joint @ joint.T, expected, atol=0, rtol=0.05)


def test_the_projections_are_fixed_and_kept_in_checkpoints() -> None:
    first, second = MultilinearMap(65, 64, size=3), MultilinearMap(65, 64, size=3)
    assert not list(first.parameters())
    second.load_state_dict(first.state_dict())
    x, g = normal(2, 65), normal(2, 64)
    assert torch.equal(first(x, g), second(x, g))
