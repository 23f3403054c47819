"""LitServe: one worker per processor, each with a session of its own."""

import argparse
import base64

import litserve as ls
from reference import answer, make_session


class Api(ls.LitAPI):
    """Decodes and runs in the workers."""

    def setup(self, device: str) -> None:
        """Make the session of a worker."""
        self.session = make_session()

    def decode_request(self, request: dict) -> bytes:
        """The image file of a request."""
        return base64.b64decode(request["image"])

    def predict(self, content: bytes) -> dict:
        """Predict it."""
        return answer(self.session, content)

    def encode_response(self, output: dict) -> dict:
        """The answer as JSON."""
        return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    given = parser.parse_args()
    server = ls.LitServer(
        Api(), accelerator="cpu", devices=1, workers_per_device=given.workers, timeout=60
    )
    server.run(host="127.0.0.1", port=given.port, generate_client_file=False, log_level="warning")
