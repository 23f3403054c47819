"""The commands of ``rn``: where each one is defined, what it does, and which extras it needs."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One command.

    Attributes:
        function: module and name of the function, such as ``rn.commands.bundles.sign:sign``. The module is
            imported when the command is called, and by its ``--help``: at its top it imports typer
            and the standard library only.
        help: one line for ``rn --help``; the first line of the function's docstring.
        extras: extras of the distribution that the command needs.
        trouble: exit status when the command cannot do what it was asked for.
    """

    function: str
    help: str
    extras: tuple[str, ...] = ()
    trouble: int = 1


COMMANDS = {
    "adapt": Entry(
        "rn.commands.adapt:adapt", "Train a model that is adapted to a target domain.", ("train",)
    ),
    "compare": Entry(
        "rn.commands.compare:compare",
        "Train a grid of normalizations and objectives; tabulate it.",
        ("train",),
    ),
    "report": Entry(
        "rn.commands.report:report", "Write the HTML report of a training run.", ("train",)
    ),
    "export": Entry(
        "rn.commands.export:export",
        "Fold an adapted model into a bundle; check it against torch.",
        ("train", "cpu"),
    ),
    "inspect": Entry(
        "rn.commands.bundles.inspect:inspect",
        "Verify a bundle and describe its contents and provenance.",
        ("cpu",),
    ),
    "diff": Entry(
        "rn.commands.bundles.diff:diff",
        "Compare two bundles: statistics, weights and manifests.",
        ("cpu",),
        # 1 reports a difference.
        trouble=2,
    ),
    "sign": Entry("rn.commands.bundles.sign:sign", "Sign a bundle with an Ed25519 key.", ("cpu",)),
    "serve": Entry(
        "rn.commands.serve:serve", "Serve a bundle over HTTP, and adapt it online.", ("cpu",)
    ),
    "bench": Entry(
        "rn.commands.bench:bench",
        "Measure how fast a service answers, beside its limit.",
        ("cpu",),
    ),
    "replay": Entry(
        "rn.commands.replay:replay",
        "Show what the online engine would do with a recorded stream.",
        ("cpu",),
    ),
    "demo": Entry(
        "rn.commands.demo:demo",
        "Show the example adapting to a new camera, refusing junk.",
        ("train", "cpu"),
    ),
    "key": Entry("rn.commands.key:key", "Make a key for a service."),
    "predict": Entry(
        "rn.commands.remote.predict:predict",
        "Label image files with a running service.",
        ("service",),
    ),
    "submit": Entry(
        "rn.commands.remote.submit:submit",
        "Post unlabelled images for a running service to adapt to.",
        ("service",),
    ),
    "observe": Entry(
        "rn.commands.observe:observe",
        "Compute moments of images that stay where they are.",
        ("cpu",),
    ),
    "submit-moments": Entry(
        "rn.commands.remote.moments:submit_moments",
        "Submit the moments of rn observe to a running service.",
        ("service",),
    ),
    "versions": Entry(
        "rn.commands.remote.versions:versions", "List the versions of a target.", ("service",)
    ),
    "events": Entry(
        "rn.commands.remote.events:events", "List what happened to a target.", ("service",)
    ),
    "rollback": Entry(
        "rn.commands.remote.versions:rollback",
        "Serve an earlier version of a target again.",
        ("service",),
    ),
    "promote": Entry(
        "rn.commands.remote.changing:promote",
        "Serve a version, and let adaptation go on from it.",
        ("service",),
    ),
    "reset": Entry(
        "rn.commands.remote.changing:reset",
        "Serve the exported version; forget what was observed since.",
        ("service",),
    ),
    "freeze": Entry(
        "rn.commands.remote.changing:freeze",
        "Switch adaptation off; predictions go on.",
        ("service",),
    ),
    "unfreeze": Entry(
        "rn.commands.remote.changing:unfreeze", "Switch adaptation on again.", ("service",)
    ),
    "mode": Entry(
        "rn.commands.remote.changing:mode",
        "Say or choose what becomes of versions: off, shadow, auto.",
        ("service",),
    ),
    "targets": Entry(
        "rn.commands.remote.targets:targets",
        "List the targets of a service, make one, delete one.",
        ("service",),
    ),
    "domains": Entry(
        "rn.commands.remote.domains:domains",
        "List the domains of a target, name one, forget one.",
        ("service",),
    ),
    "drift": Entry(
        "rn.commands.remote.domains:drift",
        "Say how far the last images are from the domain of a target.",
        ("service",),
    ),
    "health": Entry(
        "rn.commands.health:health", "Say whether a service is ready; exits with status 1 if not."
    ),
    "doctor": Entry("rn.commands.doctor:doctor", "Check the installation."),
}
