"""Triton through PyTriton: one instance per processor, each with a session of its own."""

import argparse
import time

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
from reference import best, make_session, read


def make_predict():
    """A function that predicts one image, with a session of its own."""
    session = make_session()

    def predict(requests: list) -> list:
        answers = []
        for request in requests:
            numbers, probabilities = best(session, read(request["content"][0]))
            answers.append({"classes": numbers.astype(np.int64), "probabilities": probabilities})
        return answers

    return predict


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--ports", type=int, nargs=2, required=True)
    given = parser.parse_args()
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=given.port,
        grpc_port=given.ports[0],
        metrics_port=given.ports[1],
        allow_metrics=False,
        log_verbose=0,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="model",
            infer_func=[make_predict() for _ in range(given.workers)],
            inputs=[Tensor(name="content", dtype=bytes, shape=(1,))],
            outputs=[
                Tensor(name="classes", dtype=np.int64, shape=(-1,)),
                Tensor(name="probabilities", dtype=np.float64, shape=(-1,)),
            ],
            config=ModelConfig(batching=False),
        )
        triton.run()
        while True:
            time.sleep(3600)
