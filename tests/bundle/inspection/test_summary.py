import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundle import BundleError, files
from bundle.inspection.summary import describe_folding, inspect_bundle
from bundle.manifest import Site
from bundle.signing import key_id, make_signature

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def test_the_summary_is_complete(small_bundle: Path) -> None:
    found = inspect_bundle(small_bundle)
    assert found.to_json()["manifest"] == json.loads((small_bundle / files.MANIFEST).read_text())
    assert found.sizes == {
        name: (small_bundle / name).stat().st_size
        for name in (files.MANIFEST, *files.REQUIRED, files.SAMPLE_IMAGES)
    }
    assert found.fingerprint == (small_bundle / files.MANIFEST_SUM).read_text().split()[0]
    json.dumps(found.to_json(), allow_nan=False)


def test_the_signature_is_described(path: Path) -> None:
    assert inspect_bundle(path).signature == "not signed"
    content = make_signature(KEY, (path / files.MANIFEST).read_bytes())
    (path / files.SIGNATURE).write_bytes(content)
    name = key_id(KEY.public_key())
    assert inspect_bundle(path).signature == f"signed by {name}, not checked"
    assert inspect_bundle(path, KEY.public_key()).signature == f"signed by {name}, verified"
    (path / files.SIGNATURE).write_bytes(b"no signature")
    assert inspect_bundle(path).signature.startswith("not valid: manifest.sig has 12 bytes")


def test_a_broken_bundle_is_refused(path: Path) -> None:
    (path / files.BASE).write_bytes(b"")
    with pytest.raises(BundleError, match=files.BASE):
        inspect_bundle(path)


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ({"weight": "w", "bias": "b"}, "w, before it"),
        ({"weight": "w", "bias": "b", "side": "input"}, "w, after it"),
        ({"scale": "s", "shift": "t"}, "not folded: s, t"),
    ],
)
def test_where_a_site_went(site: dict[str, str], words: str) -> None:
    assert (
        describe_folding(Site.model_validate({"name": "x", "channels": 1, "offset": 0, **site}))
        == words
    )
