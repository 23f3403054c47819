"""A plain handler: FastAPI and ONNX Runtime, as tutorials write it; several workers of uvicorn."""

from fastapi import FastAPI, Request
from reference import answer, make_session
from starlette.concurrency import run_in_threadpool

app = FastAPI()
session = make_session()


@app.post("/predict")
async def predict(request: Request) -> dict:
    """Predict the image of the body."""
    content = await request.body()
    return await run_in_threadpool(answer, session, content)
