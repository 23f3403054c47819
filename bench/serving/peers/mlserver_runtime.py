"""A runtime of MLServer, which runs it in one process per processor."""

import base64

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from reference import best, make_session, read


class Runtime(MLModel):
    """Decodes and runs."""

    async def load(self) -> bool:
        """Make the session of a worker."""
        self.session = make_session()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Predict the image of a request."""
        content = payload.inputs[0].data[0]
        numbers, probabilities = best(self.session, read(base64.b64decode(content)))
        outputs = [
            NumpyCodec.encode_output("classes", numbers),
            NumpyCodec.encode_output("probabilities", probabilities),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
