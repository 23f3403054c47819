"""A few labels where they decide: images on which a version and its parent disagree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bundle.preprocessing import Pixels
from service.adaptation.memory import digest
from service.adaptation.state import EXPORTED_DOMAIN
from service.errors import InvalidContent, NothingToRollBack
from service.guards.evidence import Evidence, outcomes
from service.ledger.change import Actor
from service.ledger.ledger import Ledger
from service.ledger.moves import EvidenceGiven
from service.ledger.records import VersionRecord
from service.targets.making.judging import Judge
from service.targets.making.moves import LabelMover
from service.targets.queries import Queries
from service.targets.recorder import Recorder
from service.targets.served import ServedVersions

GUARD = "guard"
# Images that are offered at once.
MAX_IMAGES = 32


@dataclass(frozen=True)
class Disputed:
    """An image on which a version and its parent disagree.

    Attributes:
        name: name of the image.
        image: its pixels ``(H, W, C)``.
        parent, version: classes that the two predict.
    """

    name: str
    image: Pixels
    parent: str
    version: str


@dataclass(frozen=True)
class Dispute:
    """What labels say of a version so far, and the images whose labels would say more."""

    record: VersionRecord
    parent: int
    evidence: Evidence
    images: Sequence[Disputed]


class EvidenceKeeper:
    """Asks for labels, and decides by them.

    Args:
        recorder: record of the target.
        ledger: where evidence is recorded.
        queries: reads versions.
        served: sessions of the target.
        judge: keeps the images.
        mover: rolls a version back.
        classes: names of the classes.
        alpha: largest probability of a wrong verdict.
    """

    def __init__(
        self,
        recorder: Recorder,
        ledger: Ledger,
        queries: Queries,
        served: ServedVersions,
        judge: Judge,
        mover: LabelMover,
        classes: Sequence[str],
        alpha: float,
    ) -> None:
        self._recorder = recorder
        self._ledger = ledger
        self._queries = queries
        self._served = served
        self._judge = judge
        self._mover = mover
        self._classes = classes
        self._alpha = alpha

    def describe(self, number: int) -> Dispute:
        """What labels say of a version, and the images without a label on which it and its parent disagree.

        Raises:
            UnknownVersion: if there is no such version.
            MomentsDropped: if it or its parent cannot be run any more.
            NothingToRollBack: if it has no parent.
        """
        record, parent = self._versions(number)
        evidence, labelled = self._so_far(number)
        open_images = [d for d in self._disputed(record, parent) if d.name not in labelled]
        return Dispute(record, parent, evidence, open_images[:MAX_IMAGES])

    def add(self, number: int, labels: Mapping[str, str], actor: Actor) -> Dispute:
        """Add labels of images by their names; a version that they show to be worse is not served any more.

        Raises:
            InvalidContent: if an image is not one that is asked for, or a label is no class.
            UnknownVersion, MomentsDropped, NothingToRollBack: as :meth:`describe`.
        """
        with self._recorder.writing():
            self._add(number, labels, actor)
        return self.describe(number)

    def _add(self, number: int, labels: Mapping[str, str], actor: Actor) -> None:
        record, parent = self._versions(number)
        evidence, labelled = self._so_far(number)
        known = {disputed.name: disputed for disputed in self._disputed(record, parent)}
        for name, label in labels.items():
            if name in labelled or name not in known:
                raise InvalidContent(
                    f"image {name!r} is not one whose label is asked for; GET this path lists them"
                )
            if label not in self._classes:
                raise InvalidContent(f"{label!r} is not a class; the classes are those of /predict")
        chosen = [known[name] for name in labels]
        evidence = evidence.after(
            outcomes(
                (each.parent for each in chosen), (each.version for each in chosen), labels.values()
            )
        )
        given = EvidenceGiven(
            number,
            evidence.to_json(),
            [*labelled, *labels],
            evidence.verdict,
            Actor(actor.by, evidence.reason),
        )
        self._recorder.append(given)
        if evidence.verdict == "worse" and self._recorder.target.serving == number:
            self._mover.move(parent, "rolled_back", Actor(GUARD, evidence.reason))

    def _versions(self, number: int) -> tuple[VersionRecord, int]:
        record = self._queries.version(number).record
        if record.parent is None:
            raise NothingToRollBack(
                f"version {number} has no parent that it could be compared with"
            )
        return record, record.parent

    def _so_far(self, number: int) -> tuple[Evidence, list[str]]:
        event = self._ledger.last_event(self._recorder.target, "evidence", number)
        if event is None:
            return Evidence(self._alpha), []
        return Evidence.from_json(event.detail["evidence"]), list(event.detail["labelled"])

    def _disputed(self, record: VersionRecord, parent: int) -> list[Disputed]:
        images = list(self._judge.reservoir.images(record.domain))
        if record.domain == EXPORTED_DOMAIN and self._judge.scorer.samples is not None:
            images += list(self._judge.scorer.samples)
        if not images:
            return []
        before, after = (
            self._judge.scorer.predict(self._served.get(version), images).argmax(axis=1)
            for version in (parent, record.number)
        )
        return [
            Disputed(
                f"{digest(images[index]):016x}",
                images[index],
                self._classes[before[index]],
                self._classes[after[index]],
            )
            for index in np.flatnonzero(before != after)
        ]
