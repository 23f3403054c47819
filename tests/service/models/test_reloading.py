"""SIGHUP replaces the default model of a process."""

from pathlib import Path

from bundle.files import PREDICT
from tests.service.models.bundles import put_bundle
from tests.service.pictures import NPY, noise, npy
from tests.service.processes import client, started


def test_a_process_reads_its_bundle_again_on_sighup(bundle_path: Path, tmp_path: Path) -> None:
    path = put_bundle(bundle_path, tmp_path, "served")
    with started(path, tmp_path) as process, client(process) as http:

        def bundle() -> str:
            return str(http.get("/models").json()["models"][0]["bundle"])

        first = bundle()
        put_bundle(bundle_path, tmp_path, "served", label="second")
        process.hang_up()
        while (second := bundle()) == first:
            answer = http.post("/predict", content=npy(noise(1)), headers=NPY)
            assert answer.status_code == 200
        put_bundle(bundle_path, tmp_path, "served", label="third")
        (path / PREDICT).write_bytes(b"damaged")
        process.hang_up()
        process.wait_for("was not loaded: predict.onnx ")
        assert bundle() == second
        process.terminate()
        assert process.exit_code() == 0
