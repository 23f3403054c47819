"""The command ``rn sign``."""

from pathlib import Path
from typing import Annotated

import typer

from bundle.errors import BundleError
from rn.failing import one_line


def sign(
    bundle: Annotated[Path, typer.Argument(help="Directory of the bundle.")],
    key: Annotated[
        Path,
        typer.Option(
            help="Ed25519 private key; `openssl genpkey -algorithm ed25519 -out FILE` makes one."
        ),
    ],
    passphrase: Annotated[
        str | None,
        typer.Option(envvar="RN_KEY_PASSPHRASE", help="Passphrase of the key, if it has one."),
    ] = None,
) -> None:
    """Sign a bundle with an Ed25519 key.

    Writes manifest.sig, replacing an existing one. `openssl pkey -in FILE -pubout` prints the public key,
    for RN_PUBLIC_KEY and `rn inspect --public-key`.
    """
    from bundle.files import MANIFEST, SIGNATURE
    from bundle.reading.loading import load_bundle
    from bundle.signing import key_id, make_signature, read_private_key
    from bundle.writing.atomic import write_file

    with one_line(BundleError, OSError):
        private = read_private_key(key, passphrase)
        # What is signed is what was checked: the fingerprint is of the bytes that were read.
        fingerprint = load_bundle(bundle).fingerprint
        manifest = (bundle / MANIFEST).read_bytes()
        write_file(bundle / SIGNATURE, make_signature(private, manifest))
    typer.echo(f"{bundle}: {fingerprint[:16]} signed by {key_id(private.public_key())}")
