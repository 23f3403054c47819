"""The command ``rn sign``."""

from pathlib import Path
from typing import Annotated

import typer

from bundle.files import MANIFEST, SIGNATURE
from bundle.reading.loading import load_bundle
from bundle.signing import key_id, make_signature, read_private_key
from bundle.writing.atomic import write_file
from rn.commands.failing import one_line


def sign(
    bundle: Annotated[Path, typer.Argument(help="Directory of the bundle.")],
    key: Annotated[
        Path,
        typer.Option(help="Private key; `openssl genpkey -algorithm ed25519 -out FILE` makes one."),
    ],
    passphrase: Annotated[
        str | None,
        typer.Option(envvar="RN_KEY_PASSPHRASE", help="Of the key, if it has one."),
    ] = None,
) -> None:
    """Sign a bundle with an Ed25519 key: writes manifest.sig, in place of one that is there.

    `openssl pkey -in FILE -pubout` gives the public key, for RN_PUBLIC_KEY and `rn inspect --public-key`.
    """
    with one_line("sign"):
        private = read_private_key(key, passphrase)
        # What is signed is what was checked: the fingerprint is of the bytes that were read.
        fingerprint = load_bundle(bundle).fingerprint
        manifest = (bundle / MANIFEST).read_bytes()
        write_file(bundle / SIGNATURE, make_signature(private, manifest))
    typer.echo(f"{bundle}: {fingerprint[:16]} signed by {key_id(private.public_key())}")
