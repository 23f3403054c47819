"""The extras of this distribution, and how to install what is missing."""

import json
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from urllib.parse import urlsplit
from urllib.request import url2pathname

DISTRIBUTION = "reciprocal-norm"

# Import name of a package -> the smallest extra that brings it; what every installation has is not listed.
EXTRAS = {
    "alembic": "service",
    "fastapi": "service",
    "fastapi_offline": "service",
    "grpc": "grpc",
    "httptools": "service",
    "httpx": "service",
    "jinja2": "train",
    "kornia": "train",
    "lightning_fabric": "train",
    "matplotlib": "train",
    "mlflow": "mlflow",
    "onnxruntime": "cpu",
    "onnxscript": "train",
    "opentelemetry": "otel",
    "pandas": "mlflow",
    "pillow_heif": "heif",
    "prometheus_client": "service",
    "psutil": "service",
    "pydantic_settings": "service",
    "python_multipart": "service",
    "pythonjsonlogger": "service",
    "scipy": "train",
    "sklearn": "train",
    "sqlalchemy": "service",
    "starlette": "service",
    "tensorboard": "train",
    "timm": "backbones",
    "torch": "train",
    "torchvision": "backbones",
    "transformers": "backbones",
    "tritonclient": "grpc",
    "uvicorn": "service",
    "uvloop": "service",
    "yaml": "train",
}

# Names of projects that differ from the names that they are imported by.
_PROJECTS = {
    "pillow_heif": "pillow-heif",
    "grpc": "grpcio",
    "pythonjsonlogger": "python-json-logger",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def install_command(*extras: str) -> str:
    """The shell command that installs this distribution with some extras, from where it came."""
    return f"pip install {_origin()}[{','.join(extras)}]'"


@cache
def _origin() -> str:
    """What installs this distribution again: the folder or wheel that it was installed from.

    Its name alone would install whatever an index has under it. What installers leave is in PEP 610.
    """
    try:
        written = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        written = None
    found = json.loads(written) if written else {}
    place = urlsplit(found.get("url", ""))
    if place.scheme != "file":
        return f"'{DISTRIBUTION}"
    editable = "--editable " if found.get("dir_info", {}).get("editable") else ""
    return f"{editable}'{url2pathname(place.path)}"


def missing_package(module: str | None, *extras: str) -> str | None:
    """Name the package that a program lacks, and how to install it, on one line.

    Args:
        module: name of the module, as a :class:`ModuleNotFoundError` has it.
        extras: extras that the program needs anyway; a package that none of them brings is installed
            by itself.

    Returns:
        Text such as ``torch: pip install '/home/me/reciprocal-norm[train]'``; None if no installation is
        known to bring the module, so that the failed import is a bug.
    """
    package = (module or "").partition(".")[0]
    extra = EXTRAS.get(package)
    if extra is None:
        return None
    # An extra for a runtime brings the service too.
    brought = {*extras, *(["service"] if "cpu" in extras else [])}
    alone = f"pip install {_PROJECTS.get(package, package)}"
    return f"{package}: {install_command(*extras) if extra in brought else alone}"
