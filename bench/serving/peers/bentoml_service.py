"""BentoML: one worker per processor, each with a session of its own."""

import os
from pathlib import Path

import bentoml
from reference import answer, make_session


@bentoml.service(workers=int(os.environ["BENCH_WORKERS"]), traffic={"timeout": 60})
class Predictor:
    """Decodes and runs in the workers."""

    def __init__(self) -> None:
        self.session = make_session()

    @bentoml.api
    def predict(self, image: Path) -> dict:
        """Predict an image file."""
        return answer(self.session, image.read_bytes())
