"""Words that several parts of the service share, and their values."""

from typing import Literal

DEFAULT_TARGET = "default"

# Where the service runs its graphs.
Device = Literal["cpu", "cuda"]

# What became of a version: exported with the bundle, or made online and then published or rejected.
Status = Literal["exported", "published", "rejected"]

# What admission decides about one image.
Verdict = Literal["admitted", "duplicate", "outlier"]

# What can happen to a target; each is recorded as an event of this kind.
EventKind = Literal[
    "opened",
    "merged",
    "new_domain",
    "alarm",
    "published",
    "rejected",
    "promoted",
    "rolled_back",
    "reset",
    "frozen",
    "unfrozen",
]
