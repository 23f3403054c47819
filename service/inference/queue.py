"""The queue of predictions: bounded in images and in time, and fair to small requests beside large ones.

A request is admitted before its body is read, and holds places for its images until workers take them.
"""

from collections import deque
from dataclasses import dataclass

from service.errors import QueueFull
from service.inference.jobs import Job

# Images of one request that are taken before the next request has its turn.
TURN = 8
# Images that a worker decodes at once if others run them, so that all workers have some.
DECODED = 4
# Weight of the newest measurement in the moving average of the time per image.
NEWEST = 0.1
# Share of the time to the deadline that may be planned; the rest is for what was estimated wrongly.
PLANNED = 0.8


@dataclass(frozen=True)
class Limits:
    """How much may wait.

    Attributes:
        images: maximum number of images that wait.
        wait: maximum estimated seconds until the first image of a new request is run.
        timeout: seconds from the arrival of a request to its deadline.
    """

    images: int
    wait: float
    timeout: float


@dataclass(frozen=True)
class Part:
    """Images of a job that one worker runs together.

    Attributes:
        job: the job.
        start, stop: positions of the first image and of the one after the last.
    """

    job: Job
    start: int
    stop: int


class ImageQueue:
    """Jobs in the order in which their images are run. Not safe for threads: the engine locks it.

    Args:
        limits: how much may wait.
        workers: number of threads that run images at the same time.

    Attributes:
        waiting: number of images that hold a place: those that can be run, and those that are still read.
    """

    def __init__(self, limits: Limits, workers: int) -> None:
        self.waiting = 0
        self._limits = limits
        self._workers = workers
        self._jobs: deque[Job] = deque()
        self._ready = 0
        self._first_turns = 0
        self._seconds_per_image = 0.0

    def __bool__(self) -> bool:
        """Whether images can be run."""
        return bool(self._jobs)

    def hold(self, images: int, held: int = 0) -> None:
        """Hold places for the images of a request, which held some before.

        A request larger than a limit is admitted when nothing else waits.

        Raises:
            QueueFull: if too much is waiting.
        """
        others, limits = self.waiting - held, self._limits
        if others and others + images > limits.images:
            raise self._full(others, f"the maximum is {limits.images}")
        wait = self._seconds(self._first_turns)
        if wait > min(limits.wait, PLANNED * limits.timeout):
            raise self._full(others, f"the next would wait about {wait:.1f} s")
        total = self._seconds(self._ready + images)
        if self._ready and total > PLANNED * limits.timeout:
            raise self._full(others, f"all would take about {total:.1f} s")
        self.waiting += images - held

    def release(self, images: int) -> None:
        """Give places back that no job has."""
        self.waiting -= images

    def append(self, job: Job) -> None:
        """Queue a job, whose images hold their places already."""
        self._jobs.append(job)
        self._ready += job.left
        self._first_turns += min(job.left, TURN)

    def remove(self, job: Job) -> None:
        """Give up what is left of a job that was queued."""
        if job.left:
            self._jobs.remove(job)
            self._count(job, job.left)

    def measure(self, images: int, seconds: float) -> None:
        """Learn from a batch how long a worker takes per image."""
        sample = seconds / images
        before = self._seconds_per_image or sample
        self._seconds_per_image = before + NEWEST * (sample - before)

    def take(self, now: float) -> tuple[list[Part], list[Job]]:
        """The images to run next, all by one version, and the jobs whose deadline has passed.

        Args:
            now: the time, as deadlines count it.
        """
        batch: list[Part] = []
        late: list[Job] = []
        images = 0
        while self._jobs:
            job = self._jobs[0]
            if now > job.deadline:
                late.append(job)
                self.remove(job)
                continue
            if job.runnable is None and job.work.version is None:
                job.runnable = job.work.versions.served
            versions = job.work.versions
            most = DECODED if versions.gathers else versions.max_batch
            space = min(most, versions.max_batch) - images
            if not space or (batch and job.key != batch[0].job.key):
                break
            part = self._take(job, space, now)
            batch.append(part)
            images += part.stop - part.start
        return batch, late

    def _take(self, job: Job, space: int, now: float) -> Part:
        """Take images of the first job, which goes to the back when it had its turn."""
        start = job.taken
        if not start:
            job.begun_at = now
        self._count(job, min(job.left, space))
        if not job.left:
            self._jobs.popleft()
        elif start // TURN != job.taken // TURN:
            self._jobs.rotate(-1)
        return Part(job, start, job.taken)

    def _count(self, job: Job, images: int) -> None:
        """Count images of a queued job as taken."""
        before = min(job.left, TURN)
        job.taken += images
        self._first_turns += min(job.left, TURN) - before
        self._ready -= images
        self.waiting -= images

    def _seconds(self, images: int) -> float:
        """Estimated seconds that the workers take for a number of images."""
        return images * self._seconds_per_image / self._workers

    def _full(self, others: int, reason: str) -> QueueFull:
        # After half of the time that all take, there is room again.
        retry_after = max(1, round(self._seconds(self._ready) / 2))
        return QueueFull(f"{others} images are waiting already; {reason}", retry_after)
