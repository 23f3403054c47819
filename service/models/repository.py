"""The bundles that can be loaded, by name."""

import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bundle.loaded import Bundle
from bundle.reading.loading import load_bundle
from bundle.reading.manifest import read_manifest
from bundle.runtime import MakeSession
from bundle.text import describe_error
from service.errors import ModelNotLoaded, UnknownModel

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Repository:
    """Bundles by name: one for each folder of a directory, and others that were added one by one.

    Names come from the directory, never from a client: a name that it does not list is unknown.

    Args:
        directory: directory with one bundle per folder, which has the name of the model; None for none.
            Folders whose names have other characters than letters, digits, ``.``, ``_`` and ``-``, or
            begin with one of the last three, are passed over.
        public_key: key that bundles must be signed with; None to accept them unsigned.
        make_predictor: see :func:`bundle.reading.loading.load_bundle`.
    """

    def __init__(
        self,
        directory: Path | None,
        public_key: Ed25519PublicKey | None,
        make_predictor: MakeSession | None = None,
    ) -> None:
        self._directory = directory
        self._public_key = public_key
        self._make_predictor = make_predictor
        self._added: dict[str, Path] = {}

    def add(self, path: Path) -> str:
        """Add a bundle outside the directory, under the name in its manifest, which is returned.

        Raises:
            BundleError: if its manifest is invalid.
        """
        manifest, _ = read_manifest(path, self._public_key)
        self._added[manifest.name] = path
        return manifest.name

    def names(self) -> list[str]:
        """Names of all bundles, as they are on disk now.

        Raises:
            ModelNotLoaded: if the directory cannot be read.
        """
        return sorted({*self._added, *self._folders()})

    def read(self, name: str) -> Bundle:
        """Load a bundle by its name, as it is on disk now.

        Raises:
            UnknownModel: if there is no such bundle.
            BundleError: if it is invalid.
            ModelNotLoaded: if the directory cannot be read.
        """
        path = self._added.get(name) or self._folders().get(name)
        if path is None:
            known = ", ".join(map(repr, self.names()))
            raise UnknownModel(f"there is no model {name!r} to load; there is {known}")
        return load_bundle(path, self._public_key, self._make_predictor)

    def _folders(self) -> dict[str, Path]:
        if self._directory is None:
            return {}
        try:
            paths = list(self._directory.iterdir())
        except OSError as error:
            raise ModelNotLoaded(
                f"the directory of models cannot be read: {describe_error(error)}"
            ) from error
        return {path.name: path for path in paths if _NAME.fullmatch(path.name) and path.is_dir()}
