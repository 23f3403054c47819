import base64
import io

import numpy as np
import pytest
from PIL import Image

from rn_model.report.sections.pictures import MAX_BYTES, picture_groups

NAMES = ("cat", "dog")


def _arrays(side: int, count: int = 4, channels: int = 3) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "picture": generator.integers(0, 256, (count, side, side, channels), dtype=np.uint8),
        "picture_group": np.arange(count) % 4,
        "picture_true": np.array([1, 0, -1, 0])[np.arange(count) % 4],
        "picture_predicted": np.array([-1, 0, 1, 1])[np.arange(count) % 4],
        "picture_confidence": np.array([np.nan, 0.5, 0.99, 0.4])[np.arange(count) % 4],
    }


@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_are_embedded_as_they_are(channels: int) -> None:
    arrays = _arrays(16, channels=channels)
    groups = picture_groups(arrays, NAMES)
    assert [picture.caption for group in groups for picture in group.pictures] == [
        *("dog", "cat 50%", "dog 99%", "dog 40%, is cat")
    ]
    assert [picture.wrong for group in groups for picture in group.pictures] == [
        *(False, False, False, True)
    ]
    head, _, data = groups[1].pictures[0].url.partition(",")
    assert head == "data:image/png;base64"
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(image.reshape(16, 16, channels), arrays["picture"][1])


def test_the_bytes_of_all_images_are_bounded() -> None:
    groups = picture_groups(_arrays(96, count=400), NAMES)
    pictures = [picture for group in groups for picture in group.pictures]
    assert len(pictures) < 400
    assert 0.9 * MAX_BYTES < sum(len(picture.url) for picture in pictures) <= MAX_BYTES
    assert pictures[0].url.startswith("data:image/jpeg;base64,")


def test_runs_without_pictures_have_none_and_damaged_ones_are_an_error() -> None:
    assert picture_groups({}, NAMES) == []
    with pytest.raises(ValueError, match="differ in length"):
        picture_groups({**_arrays(8), "picture_true": np.zeros(1)}, NAMES)
    with pytest.raises(ValueError, match="at most 256 pixels"):
        picture_groups(_arrays(300), NAMES)
