"""Loads a bundle, and rejects one that is damaged or invalid."""

import hashlib
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import onnxruntime as ort
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bundle import files
from bundle.errors import BundleError
from bundle.interface import TensorType
from bundle.loaded import Bundle, Handover
from bundle.manifest import Manifest
from bundle.reading.arrays import MAX_HEADER, read_arrays, read_moments
from bundle.reading.consistency import (
    check_arrays,
    check_graph,
    check_input_profile,
    check_sites,
    check_variants,
    wanted_arrays,
)
from bundle.reading.graphs import check_byte_ranges
from bundle.reading.manifest import read_manifest
from bundle.reading.refold import check_fold
from bundle.reading.regular_files import read_file
from bundle.reading.sample_images import MAX_SAMPLE_BYTES, read_sample_images
from bundle.reading.trial_run import check_runs, trial_session
from bundle.runtime import MakeSession

# The large arrays of the three graphs are in other files.
MAX_GRAPH_BYTES = 256 * 2**20
# There are two files of arrays, and two checks that take long.
THREADS = 2
_GRAPHS = (files.PREDICT, files.OBSERVE, files.COMPENSATE)
_MOMENTS = {
    "source": (files.SOURCE_MEAN, files.SOURCE_VARIANCE),
    "target": (files.TARGET_MEAN, files.TARGET_VARIANCE),
}


def load_bundle(
    path: Path,
    public_key: Ed25519PublicKey | None = None,
    make_predictor: MakeSession | None = None,
) -> Bundle:
    """Load a bundle after checking its schema version, every hash, and that its parts fit each other.

    All checks are made on the bytes that are then used.

    Args:
        path: directory of the bundle.
        public_key: key that the bundle must be signed with (:func:`bundle.signing.read_public_key`);
            None to accept it unsigned.
        make_predictor: makes the session in which ``predict.onnx`` is tried, and which is then kept as
            ``Bundle.predictor``; None to try it in one that is made quickly, and keep none.

    Raises:
        BundleError: naming the file and what is wrong with it.
    """
    manifest, fingerprint = read_manifest(path, public_key)
    contents = {name: _load_file(path, name, manifest, MAX_GRAPH_BYTES) for name in _GRAPHS}
    models = {name: check_graph(name, contents[name], manifest) for name in _GRAPHS}
    wanted = {name: wanted_arrays(name, models[name]) for name in _GRAPHS}
    contents |= _load_others(path, manifest, _limits(manifest, wanted))
    predict, base = (
        read_arrays(name, contents[name]) for name in (files.PREDICT_WEIGHTS, files.BASE)
    )
    moments = {
        kind: read_moments(base.arrays, *keys, manifest.channels) for kind, keys in _MOMENTS.items()
    }
    check_arrays(files.PREDICT_WEIGHTS, predict.arrays, wanted[files.PREDICT])
    check_arrays(files.BASE, base.arrays, wanted[files.OBSERVE])
    check_sites(manifest, predict.arrays, base.arrays, wanted[files.PREDICT])
    check_byte_ranges(files.PREDICT, models[files.PREDICT], files.PREDICT_WEIGHTS, predict.ranges)
    check_byte_ranges(files.OBSERVE, models[files.OBSERVE], files.BASE, base.ranges)
    check_byte_ranges(files.COMPENSATE, models[files.COMPENSATE], None, {})
    check_variants(manifest, contents)
    check_input_profile(manifest)
    moment_keys = {key for keys in _MOMENTS.values() for key in keys}
    bundle = Bundle(
        manifest=manifest,
        fingerprint=fingerprint,
        predict=contents[files.PREDICT],
        observe=contents[files.OBSERVE],
        compensate=contents[files.COMPENSATE],
        predict_arrays=predict.arrays,
        base_arrays={key: array for key, array in base.arrays.items() if key not in moment_keys},
        observe_names=frozenset(wanted[files.OBSERVE]),
        source=moments["source"],
        target=moments["target"],
        sample_images=(
            read_sample_images(contents[files.SAMPLE_IMAGES], manifest.preprocessing)
            if files.SAMPLE_IMAGES in contents
            else None
        ),
    )
    tried = _try(bundle, contents, make_predictor or trial_session)
    return bundle if make_predictor is None else replace(bundle, predictor=Handover(tried))


def _load_others(path: Path, manifest: Manifest, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Contents of the files that are not graphs, hashed side by side."""
    names = [name for name in limits if name in manifest.files]
    # Hashing leaves the interpreter to other threads.
    with ThreadPoolExecutor(THREADS, thread_name_prefix="load") as pool:
        loads = pool.map(lambda name: _load_file(path, name, manifest, limits[name]), names)
        return dict(zip(names, loads, strict=True))


def _try(bundle: Bundle, contents: Mapping[str, bytes], make: MakeSession) -> ort.InferenceSession:
    """Fold the base moments and run every graph, side by side.

    Returns:
        The session in which ``predict.onnx`` was tried.
    """
    variants = {each.file: contents[each.file] for each in bundle.manifest.variants.values()}
    with ThreadPoolExecutor(THREADS, thread_name_prefix="load") as pool:
        fold = pool.submit(check_fold, bundle)
        runs = pool.submit(check_runs, bundle, variants, make)
        fold.result()
        return runs.result()


def _load_file(path: Path, name: str, manifest: Manifest, limit: int) -> bytes:
    entry = manifest.files[name]
    content = read_file(path, name, limit=limit, size=entry.size)
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise BundleError(f"{name} was changed: its SHA-256 differs from the manifest")
    return content


def _limits(manifest: Manifest, wanted: Mapping[str, Mapping[str, TensorType]]) -> dict[str, int]:
    """Maximum sizes of the other files in bytes: little more than the graphs can use."""
    folded, unfolded = (_bytes(wanted[name]) for name in (files.PREDICT, files.OBSERVE))
    return {
        files.PREDICT_WEIGHTS: MAX_HEADER + folded,
        files.BASE: MAX_HEADER + folded + unfolded + 4 * 8 * manifest.channels,
        files.SAMPLE_IMAGES: MAX_SAMPLE_BYTES,
        **dict.fromkeys(files.VARIANTS.values(), MAX_GRAPH_BYTES + folded),
    }


def _bytes(arrays: Mapping[str, TensorType]) -> int:
    return sum(kind.dtype.itemsize * math.prod(map(int, kind.shape)) for kind in arrays.values())
