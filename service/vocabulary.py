"""Words that several parts of the service share, and their values."""

from typing import Literal

DEFAULT_TARGET = "default"

# Prefix of the URIs that name kinds of errors.
ERROR_PREFIX = "urn:reciprocal-norm:"

# Devices on which the service can run its graphs.
Device = Literal["cpu", "cuda"]

# How images are run on a CPU: each on one processor, each on all that are idle, or together.
EngineKind = Literal["auto", "parallel", "latency", "batch"]

# Precisions in which a GPU predicts; "tf32": float32 whose products are rounded to 10 bits of mantissa.
Precision = Literal["fp32", "tf32", "fp16"]

# Labels of versions: the one that answers requests, and one that is ready to run beside it.
Label = Literal["serving", "shadow"]

# Whether a model of the repository is loaded; "failed": when that was tried last, it could not be.
ModelState = Literal["ready", "loading", "unloading", "failed", "unloaded"]

# Forms of log lines; "auto": text on a terminal, JSON elsewhere.
LogFormat = Literal["auto", "text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

# What a key may be used for.
Role = Literal["predict", "adapt", "moments", "operate", "metrics"]

# How a version was made: exported with the bundle, or made online and then published, proposed to be
# promoted by hand, or rejected.
Status = Literal["exported", "published", "proposed", "rejected"]

# What becomes of good versions: none is made; a person promotes them; they are published.
Mode = Literal["off", "shadow", "auto"]

# Verdicts of admission on an image; "held": it seems to show a change of the domain, for which more is
# needed.
Verdict = Literal["admitted", "duplicate", "outlier", "held"]

# Reasons why an image does not move the statistics; "batch": as earlier versions of this program said of
# images that are held now.
NotAdmittedKind = Literal["duplicate", "outlier", "held", "batch", "unreadable"]

# What became of a batch: it waits for the next version, is part of one, or was left out of it.
BatchStatus = Literal["pending", "merged", "set_aside"]

# Kinds of events, one for everything that can happen to a target.
EventKind = Literal[
    "opened",
    "merged",
    "new_domain",
    "recalled_domain",
    "domain_changed",
    "domain_forgotten",
    "alarm",
    "published",
    "proposed",
    "rejected",
    "promoted",
    "rolled_back",
    "reset",
    "shadow_set",
    "shadow_removed",
    "frozen",
    "unfrozen",
    "mode",
    "evidence",
]
