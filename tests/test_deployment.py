"""The files of ``deploy/``: valid, complete, and about settings and paths that there are."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.security.roles import ROUTES
from service.settings import Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
# Kinds that Kubernetes itself does not have; what stands in for their schema is below.
OTHERS = {"Kustomization", "InferenceService"}
KUBERNETES = "1.31"


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every manifest, and the name of its file."""
    for path in sorted(DEPLOY.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if "kind" in document:
                yield path.relative_to(DEPLOY).as_posix(), document


MANIFESTS = list(documents())


def values(node: Any, key: str) -> Iterator[Any]:
    """All values of a key at any depth."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from values(item, key)


def deployment() -> dict[str, Any]:
    [found] = [each for _, each in MANIFESTS if each["kind"] == "Deployment"]
    return found


@pytest.mark.parametrize(
    ("file", "manifest"),
    [pytest.param(f, m, id=f"{f}-{m['kind']}") for f, m in MANIFESTS if m["kind"] not in OTHERS],
)
def test_manifests_fit_the_schemas_of_kubernetes(file: str, manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_container_of_kserve_is_one_of_kubernetes() -> None:
    [service] = [each for _, each in MANIFESTS if each["kind"] == "InferenceService"]
    predictor = dict(service["spec"]["predictor"])
    assert predictor.pop("minReplicas") >= 1
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": service["metadata"],
        "spec": predictor,
    }
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_kustomizations_name_files_that_there_are() -> None:
    kustomizations = [(f, m) for f, m in MANIFESTS if m["kind"] == "Kustomization"]
    assert len(kustomizations) == 3
    for file, manifest in kustomizations:
        folder = (DEPLOY / file).parent
        for resource in manifest["resources"]:
            path = folder / resource
            assert path.is_file() or (path / "kustomization.yaml").is_file(), resource
        if folder.name == "base":
            written = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
            assert written == set(manifest["resources"])


def test_every_setting_is_one_of_the_service() -> None:
    settings = {f"RN_{name.upper()}" for name in Settings.model_fields}
    named = set[str]()
    for path in DEPLOY.rglob("*.yaml"):
        named |= set(re.findall(r"\bRN_[A-Z_]+", path.read_text()))
    assert "RN_MOMENTS_KEY" in named and named <= settings, named - settings


def test_probes_ask_for_paths_that_there_are() -> None:
    paths = {probe["path"] for _, each in MANIFESTS for probe in values(each, "httpGet")}
    assert paths == {"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"}
    assert all(("GET", path) in ROUTES for path in paths)


def test_a_pod_has_time_to_answer_what_is_under_way() -> None:
    pod = deployment()["spec"]["template"]["spec"]
    [container] = pod["containers"]
    sleep, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    fields = Settings.model_fields
    longest = fields["shutdown_delay_seconds"].default + fields["drain_seconds"].default
    assert sleep == "sleep" and pod["terminationGracePeriodSeconds"] >= int(seconds) + longest


def test_the_autoscaler_asks_for_a_metric_that_there_is() -> None:
    [scaler] = [each for _, each in MANIFESTS if each["kind"] == "HorizontalPodAutoscaler"]
    [metric] = [metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"]]
    assert f"`{metric}`" in (ROOT / "docs" / "monitoring.md").read_text()
    adapter = (DEPLOY / "kubernetes" / "autoscaling" / "adapter-values.yaml").read_text()
    [rule] = yaml.safe_load(adapter)["rules"]["custom"]
    assert rule["name"]["as"] == metric and metric in rule["seriesQuery"]


def test_the_image_is_that_of_the_user_of_the_container() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    [uid] = set(re.findall(r"useradd --uid (\d+)", dockerfile))
    for file, manifest in MANIFESTS:
        for image in values(manifest, "image"):
            if image.startswith("reciprocal-norm"):
                users = set(values(manifest, "runAsUser"))
                assert users == {int(uid)}, file
                assert set(values(manifest, "readOnlyRootFilesystem")) == {True}


def test_ray_imports_an_application_that_there_is() -> None:
    [application] = yaml.safe_load((DEPLOY / "ray" / "config.yaml").read_text())["applications"]
    module, name = application["import_path"].split(":")
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
    assert f"\n{name} = " in source
    [deployed] = [each["name"] for each in application["deployments"]]
    assert f'name="{deployed}"' in source
