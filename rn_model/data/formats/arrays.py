"""Images of a data set that are held in memory as one array."""

import hashlib
from dataclasses import dataclass

from PIL import Image

from bundle.preprocessing import Pixels, Preprocessing
from rn_model.data.sets import Indices


@dataclass(frozen=True, eq=False)
class ArrayPictures:
    """Images in an array ``(N, H, W)`` or ``(N, H, W, 3)``, uint8."""

    array: Pixels

    def __len__(self) -> int:
        return len(self.array)

    def pixels(self, index: int, preprocessing: Preprocessing) -> Pixels:
        """One image ``(H, W, C)``, preprocessed by the contract."""
        return preprocessing.pixels(Image.fromarray(self.array[index]))

    def describe(self, indices: Indices) -> "hashlib._Hash":
        """SHA-256 of the shape and the pixels."""
        digest = hashlib.sha256(str((len(indices), *self.array.shape[1:])).encode())
        for index in indices:
            digest.update(self.array[index].tobytes())
        return digest
