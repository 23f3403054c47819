"""The extras of this distribution, and how to install what is missing."""

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
    """The shell command that installs this distribution with some extras."""
    return f"pip install '{DISTRIBUTION}[{','.join(extras)}]'"


def missing_package(module: str | None, *extras: str) -> str | None:
    """Name the package that a program lacks, and how to install it, on one line.

    Args:
        module: name of the module, as a :class:`ModuleNotFoundError` has it.
        extras: extras that the program needs anyway; a package that none of them brings is installed
            by itself.

    Returns:
        Text such as ``torch: pip install 'reciprocal-norm[train]'``; None if no installation is
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
