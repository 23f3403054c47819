import pytest
import torch

from rn_model.augmentation import AffineBounds, random_affine


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_no_bounds_change_nothing() -> None:
    x = torch.rand(3, 2, 8, 8, generator=_generator())
    still = random_affine(x, AffineBounds().times(0), _generator())
    torch.testing.assert_close(still, x, atol=1e-5, rtol=0)


def test_a_shift_moves_by_at_most_its_bound() -> None:
    x = torch.zeros(64, 1, 17, 17)
    x[:, :, 8, 8] = 1
    moved = random_affine(x, AffineBounds(0, 0, 0, shift=0.25), _generator())
    rows = torch.arange(17.0).view(1, 17, 1) - 8
    distance = (moved[:, 0] * rows).sum(dim=(1, 2)).abs()
    assert distance.max() <= 0.25 * 17 / 2 + 1e-4
    assert distance.max() > 1


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    x = torch.rand(1, 1, 8, 8, generator=_generator())

    angle = torch.pi / 2
    # The first of the random numbers is the rotation's, in [-1, 1): ask for what makes it a quarter.
    drawn = float(torch.rand(5, 1, generator=_generator())[0, 0]) * 2 - 1
    turned = random_affine(x, AffineBounds(angle / drawn, 0, 0, 0), _generator())
    torch.testing.assert_close(turned, torch.rot90(x, 1, (2, 3)), atol=1e-4, rtol=0)


def test_outside_is_background() -> None:
    x = torch.ones(16, 1, 8, 8)
    assert random_affine(x, AffineBounds(0, 0, 0, shift=0.9), _generator()).min() == 0


def test_images_move_each_by_itself() -> None:
    x = torch.rand(1, 1, 8, 8, generator=_generator()).expand(4, 1, 8, 8)
    moved = random_affine(x, AffineBounds(), _generator())
    assert not torch.allclose(moved[0], moved[1], atol=1e-2)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_times_multiplies_every_bound(factor: float) -> None:
    scaled = AffineBounds(0.1, 0.2, 0.3, 0.4).times(factor)
    assert scaled == AffineBounds(0.1 * factor, 0.2 * factor, 0.3 * factor, 0.4 * factor)
