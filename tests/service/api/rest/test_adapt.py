from pathlib import Path

import pytest

from tests.service.pictures import flat, noise, parts, png
from tests.service.running import Service, serving, settings_for

IMAGES = noise(6)


def test_undecodable_images_are_refused_one_by_one(service: Service) -> None:
    good = [png(image) for image in IMAGES]
    contents = [b"x", good[0], good[1], b"", good[0], png(flat(1)[0]), good[2], good[3]]
    answer = service.post("/adapt", files=parts(contents))
    assert (answer["received"], answer["admitted"], answer["pending"]) == (8, 4, 4)
    found = {refusal["index"]: refusal["reason"] for refusal in answer["refused"]}
    assert list(found) == [0, 3, 4, 5]
    assert found[0].startswith("image 0 is not an image")
    assert found[3] == "image 3 is empty"
    assert found[4].startswith("duplicate")
    assert found[5].startswith("unlike")


def test_only_undecodable_images_are_an_error(service: Service) -> None:
    problem = service.post("/adapt", 422, files=parts([b"x", b"", png(IMAGES[0])[:40]]))
    assert problem["detail"].startswith("image 0 is not an image")
    assert service.versions()["pending"] == 0


def test_a_replayed_key_gives_the_same_answer(bundle_path: Path, tmp_path: Path) -> None:
    contents = [b"x", *(png(image) for image in IMAGES)]
    key = {"Idempotency-Key": "one"}
    with serving(settings_for(bundle_path, tmp_path, commit_every=6)) as service:
        first = service.post("/adapt", files=parts(contents), headers=key)
        assert first["committed"]["number"] == 1
        assert service.post("/adapt", files=parts(contents), headers=key) == first
        problem = service.post("/adapt", 422, files=parts(contents[:3]), headers=key)
        assert "used for another request" in problem["detail"]
        info = service.versions()
        assert (info["pending"], len(info["versions"])) == (0, 2)
    with serving(settings_for(bundle_path, tmp_path, commit_every=6)) as service:
        assert service.post("/adapt", files=parts(contents), headers=key) == first


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_keys_that_cannot_be(key: str, service: Service) -> None:
    problem = service.adapt(IMAGES, key, status=422)
    assert problem["detail"].lower().startswith("header idempotency-key: string should have")
    assert service.versions()["pending"] == 0


def test_the_answer_names_the_version_that_was_made(bundle_path: Path, tmp_path: Path) -> None:
    with serving(settings_for(bundle_path, tmp_path, commit_every=4)) as service:
        before = service.predict(IMAGES)
        answer = service.adapt(IMAGES[:4])
        assert (answer["serving"], answer["pending"]) == (1, 0)
        assert answer["committed"]["status"] == "published"
        after = service.predict(IMAGES)
        assert (before["version"], after["version"]) == (0, 1)
        assert before["predictions"] != after["predictions"]
        assert service.predict(IMAGES, version=0) == before
        assert service.predict(IMAGES, version=1) == after


def test_adapting_while_frozen_is_a_conflict(service: Service) -> None:
    assert service.post("/freeze")["frozen"] is True
    assert "frozen" in service.adapt(IMAGES, status=409)["detail"]
    assert service.predict(IMAGES)["version"] == 0
    assert service.post("/unfreeze")["frozen"] is False
    assert service.adapt(IMAGES)["admitted"] == 6
