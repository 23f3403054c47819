"""Who is let in: every route, with every key and without; hosts, and pages of other origins."""

import asyncio
import base64
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from starlette.types import Message, Scope

from service.api.page.files import BUILT
from service.api.route_access import RouteAccess
from service.app import create_app
from service.security.keys import digest_of, new_key
from service.security.roles import ANY_KEY, EVERYBODY, PAGES, ROLES, access_to
from service.vocabulary import Role
from tests.service.pictures import NPY, noise, npy
from tests.service.running import Service, serving, settings_for

KEYS: dict[Role, str] = {role: new_key() for role in ROLES}
WRONG = new_key()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def kind(response: httpx.Response) -> str:
    """The kind of a refusal, after checking its form."""
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == response.status_code
    assert all(key not in response.text for key in (*KEYS.values(), WRONG))
    return str(problem["type"]).rpartition(":")[2]


@pytest.fixture(scope="module")
def keyed(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one key per role; its own client sends none."""
    folder = tmp_path_factory.mktemp("keyed")
    given = {f"{role}_key": key for role, key in KEYS.items()}
    with serving(settings_for(bundle_path, folder, **given)) as running:
        yield running


def requests(service: Service) -> list[tuple[str, str, str]]:
    """Method, path and template of every route of a service."""
    found = []
    for context in iter_route_contexts(service.app.routes):
        template = context.path or "/"
        path = template if context.methods else f"{template}/favicon.png"
        model = service.resources.models.default.name
        given = {"model": model, "target": "default", "number": "0", "version": "0", "batch": "0"}
        given["file"] = next((BUILT / "page").iterdir()).name
        for name, value in given.items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, f"{path}: say here what to put in"
        if template.endswith("/stream"):
            # It is asked for by itself: whoever may follow it is never done.
            continue
        for method in context.methods or {"GET"}:
            found.append((method, path, template))
    return found


def test_every_route_asks_for_the_roles_of_its_row(keyed: Service) -> None:
    seen = 0
    for method, path, template in requests(keyed):
        access = access_to("GET" if method == "HEAD" else method, template)
        stranger = keyed.http.request(method, path)
        if access is EVERYBODY:
            assert stranger.status_code == 200
            continue
        assert stranger.status_code == 401, path
        assert "Bearer" in stranger.headers["www-authenticate"]
        for role, key in KEYS.items():
            answer = keyed.http.request(method, path, headers=bearer(key))
            if access is not None and role in access:
                assert answer.status_code not in (401, 403), f"{method} {path} with {role}"
            else:
                assert answer.status_code == 403, f"{method} {path} with {role}"
                if path.startswith("/v2"):
                    assert list(answer.json()) == list(stranger.json()) == ["error"]
                else:
                    assert method == "HEAD" or kind(answer) == "missing-role"
        seen += 1
    assert seen > 40


def test_a_stream_asks_for_its_roles(keyed: Service) -> None:
    assert keyed.http.get("/stream").status_code == 401
    for role, key in KEYS.items():
        with keyed.http.stream("GET", "/stream", headers=bearer(key)) as answer:
            assert answer.status_code == (200 if role in ("adapt", "operate") else 403)


def test_no_route_is_without_a_role(bundle_path: Path, tmp_path: Path) -> None:
    app = create_app(settings_for(bundle_path, tmp_path))
    app.add_api_route("/secret", lambda: None, methods=["POST"])
    with pytest.raises(LookupError, match=r"^POST /secret has no role"):
        RouteAccess(app.routes)
    app.state.resources.close()


def test_strangers_learn_the_status_only(keyed: Service) -> None:
    assert keyed.http.get("/health/live").json() == {"status": "live"}
    assert keyed.http.get("/health/ready").json() == {"status": "ready"}
    assert keyed.http.get("/health/ready", headers=bearer(WRONG)).json() == {"status": "ready"}
    for key in KEYS.values():
        assert keyed.http.get("/health/ready", headers=bearer(key)).json()["model"]


@pytest.mark.parametrize("path", ["/predict", "/nowhere", "/versions/x", "/predict/", "//"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "TRACE"])
def test_strangers_do_not_learn_which_routes_there_are(
    method: str, path: str, keyed: Service
) -> None:
    assert keyed.http.request(method, f"{keyed.url}{path}").status_code == 401


def test_a_stranger_is_refused_before_his_body_is_read(keyed: Service) -> None:
    host, port = keyed.url.removeprefix("http://").split(":")
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as link:
        link.sendall(head.encode())
        assert link.recv(65536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "headers",
    [
        bearer(KEYS["metrics"]),
        {"Authorization": f"bearer  {KEYS['metrics']}"},
        {"X-API-Key": KEYS["metrics"]},
        {"Authorization": "Digest x", "X-API-Key": KEYS["metrics"]},
    ],
)
def test_forms_of_a_key(headers: dict[str, str], keyed: Service) -> None:
    assert keyed.http.get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        bearer(WRONG),
        {"Authorization": "Bearer"},
        bearer(KEYS["metrics"][:-1]),
        bearer(KEYS["metrics"] + "x"),
        bearer("\xff" * 40),
        {"Authorization": KEYS["metrics"]},
        {"Authorization": "Basic !!!"},
        {"X-API-Key": ""},
        {"X-API-Key": digest_of(KEYS["metrics"]).hex()},
    ],
)
def test_what_is_not_a_key(headers: dict[str, str], keyed: Service) -> None:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = keyed.http.get("/metrics", headers=sent)
    assert (answer.status_code, kind(answer)) == (401, "unauthenticated")


def test_two_keys_in_one_request_are_refused(keyed: Service) -> None:
    pairs = [("Authorization", f"Bearer {key}") for key in (KEYS["metrics"], WRONG)]
    assert keyed.http.get("/metrics", headers=pairs).status_code == 400


def test_a_password_opens_pages_and_nothing_else(keyed: Service) -> None:
    """A browser sends a password again without being asked; that must not change anything."""
    value = base64.b64encode(f"anybody:{KEYS['operate']}".encode()).decode()
    password = {"Authorization": f"Basic {value}"}
    for method, path, template in requests(keyed):
        if access_to("GET" if method == "HEAD" else method, template) is EVERYBODY:
            continue
        answer = keyed.http.request(method, path, headers=password)
        asked = "Basic" in keyed.http.request(method, path).headers["www-authenticate"]
        assert (answer.status_code != 401) == (template in PAGES) == asked, f"{method} {path}"
        assert method in ("GET", "HEAD") or answer.status_code == 401


def test_keys_are_in_no_log(keyed: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for key in (KEYS["predict"], WRONG):
            assert keyed.http.get("/events", headers=bearer(key)).status_code in (401, 403)
    assert "unknown key from 127.0.0.1" in caplog.text
    service_side = [record for record in caplog.records if not record.name.startswith("http")]
    assert not any(
        key in record.getMessage() for record in service_side for key in (WRONG, KEYS["predict"])
    )


def test_every_answer_has_the_headers(keyed: Service, service: Service) -> None:
    operator = bearer(KEYS["operate"])
    answers = [
        keyed.http.get("/health/live"),
        keyed.http.get("/events"),
        keyed.http.get("/events", headers=operator),
        keyed.http.get("/nowhere", headers=operator),
        keyed.http.get("/docs", headers=operator),
        keyed.http.get("/static-offline-docs/swagger-ui.css", headers=operator),
    ]
    models = service.resources.models
    service.resources.models = None  # type: ignore[assignment]
    answers.append(service.http.get("/models"))
    service.resources.models = models
    assert [answer.status_code for answer in answers] == [200, 401, 200, 404, 200, 200, 500]
    for answer in answers:
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert len(headers.get_list("content-security-policy")) == 1
        assert "access-control-allow-origin" not in headers


def test_the_description_asks_for_keys_where_they_are_needed(
    keyed: Service, shared: Service
) -> None:
    description = keyed.http.get("/openapi.json", headers=bearer(KEYS["predict"])).json()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            needed = access_to(method.upper(), path) is not EVERYBODY
            assert ("security" in operation) == ("401" in operation["responses"]) == needed
    assert description["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert "security" not in shared.http.get("/openapi.json").text
    page = keyed.http.get("/docs", headers=bearer(KEYS["predict"])).text
    assert '"persistAuthorization": false' in page


HOSTS: list[tuple[str, int]] = [
    ("localhost", 200),
    ("LOCALHOST:8000", 200),
    ("x.localhost", 200),
    ("127.0.0.1", 200),
    ("[::1]:80", 200),
    ("10.1.2.3:8000", 200),
    ("[2001:db8::1]", 200),
    ("evil.example", 421),
    ("evil.example:8000", 421),
    ("localhost.evil.example", 421),
    ("127.0.0.1.evil.example", 421),
    ("localhost@evil.example", 400),
    ("localhost, evil.example", 400),
    ("[::1", 400),
    ("", 400),
]


@pytest.mark.parametrize(("host", "status"), HOSTS)
def test_hosts_without_keys(host: str, status: int, shared: Service) -> None:
    answer = shared.http.post("/freeze", headers={"Host": host})
    assert answer.status_code == status
    if status != 200:
        assert kind(answer) == {421: "misdirected-request", 400: "malformed-request"}[status]


def test_hosts_that_are_named(bundle_path: Path, tmp_path: Path, keyed: Service) -> None:
    names = "rn.example.org, *.internal.example"
    expected = {"rn.example.org": 200, "a.internal.example": 200, "10.0.0.1": 200, "x.org": 421}
    with serving(settings_for(bundle_path, tmp_path, allowed_hosts=names)) as service:
        for host, status in expected.items():
            answer = service.http.get("/health/live", headers={"Host": host})
            assert answer.status_code == status, host
    # A page that rebinds its name has no key.
    assert keyed.http.get("/health/live", headers={"Host": "any.example"}).status_code == 200


def answer_to(service: Service, head: str) -> bytes:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as link:
        link.sendall(head.replace("\n", "\r\n").encode())
        return b"".join(iter(lambda: link.recv(65536), b""))


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /health/live HTTP/1.0\n\n", 200),
        ("GET /health/live HTTP/1.1\nConnection: close\n\n", 400),
        ("GET /health/live HTTP/1.1\nHost: a\nHost: localhost\nConnection: close\n\n", 400),
        ("GET http://localhost/health/live HTTP/1.1\nHost: localhost\nConnection: close\n\n", 200),
    ],
)
def test_hosts_on_the_wire(head: str, status: int, shared: Service) -> None:
    assert answer_to(shared, head).split()[1] == str(status).encode()


def test_a_target_of_another_host_than_the_header_names(shared: Service) -> None:
    """Not every server passes the host of the target on; where one does, it is compared."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "http://evil.example/health/live",
        "raw_path": b"http://evil.example/health/live",
        "query_string": b"",
        "server": ("127.0.0.1", 80),
        "headers": [(b"host", b"localhost")],
    }
    asyncio.run(shared.app(scope, receive, send))
    assert sent[0]["status"] == 400


def browser(**headers: str) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


FORMS: list[tuple[dict[str, str], int]] = [
    (browser(), 200),
    (browser(Sec_Fetch_Site="same-origin"), 200),
    (browser(Sec_Fetch_Site="none"), 200),
    (browser(Sec_Fetch_Site="cross-site"), 403),
    (browser(Sec_Fetch_Site="same-site"), 403),
    (browser(Origin="null"), 403),
    (browser(Origin="http://evil.example"), 403),
    (browser(Origin="http://127.0.0.1:1"), 403),
    (browser(Origin="http://localhost:{port}"), 403),
    (browser(Origin="http://127.0.0.1:{port}"), 200),
    (browser(Origin="https://127.0.0.1:{port}"), 200),
    (browser(Origin="ftp://127.0.0.1:{port}"), 403),
    (browser(Origin="127.0.0.1:{port}"), 403),
    (browser(Origin="http://127.0.0.1:{port}", Sec_Fetch_Site="cross-site"), 403),
    (browser(Origin="http://evil.example", Sec_Fetch_Site="same-origin"), 403),
]


@pytest.mark.parametrize(("headers", "status"), FORMS)
def test_pages_of_other_origins_change_nothing(
    headers: dict[str, str], status: int, shared: Service
) -> None:
    port = shared.url.rpartition(":")[2]
    sent = {name: value.format(port=port) for name, value in headers.items()}
    images: dict[str, Any] = {"headers": {**NPY, **sent}, "content": npy(noise(1))}
    reason = {"headers": sent, "json": {"reason": "test"}}
    for path in ("/unfreeze", "/predict", "/adapt", "/freeze"):
        answer = shared.http.post(path, **(reason if path.endswith("freeze") else images))
        assert answer.status_code == status, path
        if status == 403:
            assert kind(answer) == "cross-origin-request"


def test_origins_that_are_named(bundle_path: Path, tmp_path: Path) -> None:
    page = "https://page.example"
    settings = settings_for(bundle_path, tmp_path, allowed_origins=page)
    with serving(settings) as service:
        headers = {"Origin": page, "Sec-Fetch-Site": "cross-site"}
        answer = service.http.post("/freeze", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == page
        assert "access-control-allow-credentials" not in answer.headers
        asked = {
            "Origin": page,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        preflight = service.http.options("/predict", headers=asked)
        assert preflight.status_code == 200
        assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
        other = service.http.post("/freeze", headers={"Origin": "https://page.example.org"})
        assert other.status_code == 403
        assert "access-control-allow-origin" not in other.headers


def test_without_keys_another_machine_is_refused_however_the_service_was_started(
    bundle_path: Path, tmp_path: Path
) -> None:
    """An ASGI server of someone's own may listen where the settings do not say."""
    program = (
        "import sys, uvicorn; from service.app import create_app;"
        "uvicorn.run(create_app(), host='0.0.0.0', port=int(sys.argv[1]), log_level='warning')"
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = _own_address()
    environment = {
        "RN_BUNDLE": str(bundle_path),
        "RN_LEDGER": f"sqlite:///{tmp_path}/ledger.sqlite",
        "RN_THREADS": "1",
        "PATH": "",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    process = subprocess.Popen([sys.executable, "-c", program, str(port)], env=environment)
    try:
        transport = httpx.HTTPTransport(retries=60)
        with httpx.Client(transport=transport, timeout=60, trust_env=False) as http:
            assert http.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
            answer = http.get(f"http://{address}:{port}/health/live")
        assert (answer.status_code, kind(answer)) == (403, "not-loopback")
    finally:
        process.terminate()
        process.wait()


def _own_address() -> str:
    """An address of this machine that is not of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no network")
        address = str(probe.getsockname()[0])
    if address.startswith("127."):
        pytest.skip("this machine has no network")
    return address


def test_rows_name_roles_only() -> None:
    assert frozenset(ROLES) == ANY_KEY
