"""Times of the stages of a prediction request, in the order in which it passes them."""

from prometheus_client import Histogram

# Names of the stages in the metrics; `decode` and `answer` keep the names that they were given first.
STAGES = {
    "read": "read",
    "decode": "preprocess",
    "queue": "queue",
    "infer": "infer",
    "answer": "postprocess",
}


class Stages:
    """One histogram per stage, looked up once: ``stages.queue.observe(seconds)``.

    Args:
        seconds: histogram with the label ``stage``.

    Attributes:
        read: reading the body from the connection.
        decode: decoding and resizing the images.
        queue: waiting for a free runner.
        infer: running the graph.
        answer: making the answer.
    """

    def __init__(self, seconds: Histogram) -> None:
        self.read: Histogram = seconds.labels(STAGES["read"])
        self.decode: Histogram = seconds.labels(STAGES["decode"])
        self.queue: Histogram = seconds.labels(STAGES["queue"])
        self.infer: Histogram = seconds.labels(STAGES["infer"])
        self.answer: Histogram = seconds.labels(STAGES["answer"])
