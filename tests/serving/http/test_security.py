"""Who is let in, what a client may cost, and what never leaves."""

from __future__ import annotations

import gzip
import logging
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ebbflow.configs.cli import main
from ebbflow.configs.messages import ConfigError
from ebbflow.serving.http.app import create_app
from ebbflow.serving.http.server import is_loopback
from ebbflow.serving.http.start import make_access
from ebbflow.serving.http.tokens import Scope, TokenFile
from ebbflow.serving.ledger.reader import LedgerDown

from ..core.small_fleet import document, request  # noqa: TID252
from ..service.services import Rig  # noqa: TID252

ORDER = {"fleet": "f", "control": "hold", "actor": "a", "reason": "b", "until": "2026-08-01T00:00:00Z"}

CALLS = [
    ("POST", "/v1/dispatch", Scope.DISPATCH),
    ("POST", "/v1/controls", Scope.CONTROL),
    ("GET", "/v1/controls?fleet=f", Scope.READ),
    ("GET", "/v1/cycles/x", Scope.READ),
    ("GET", "/v1/decisions?fleet=f&port=a", Scope.READ),
    ("GET", "/v1/model", Scope.READ),
    ("GET", "/metrics", Scope.READ),
]


def call(client: TestClient, method: str, path: str, secret: str | None) -> int:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    body = {"/v1/dispatch": document(), "/v1/controls": ORDER}.get(path) if method == "POST" else None
    return client.request(method, path, json=body, headers=headers).status_code


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
def test_each_call_needs_its_own_scope(
    guarded: TestClient, tokens: TokenFile, rig: Rig, method: str, path: str, scope: Scope
) -> None:
    rig.clock.now_s = request().start_s
    (_, right), (_, wrong) = tokens.create("right", (scope,)), tokens.create("wrong", tuple(set(Scope) - {scope}))
    assert call(guarded, method, path, None) == 401
    assert call(guarded, method, path, "ebbflow_00000000_guess") == 401
    assert call(guarded, method, path, right + "x") == 401
    assert call(guarded, method, path, wrong) == 403
    assert call(guarded, method, path, right) in (200, 201, 404)


def test_probes_need_no_token(guarded: TestClient) -> None:
    assert guarded.get("/livez").status_code == guarded.get("/readyz").status_code == 200


def test_every_path_but_the_probes_is_in_the_list(guarded: TestClient) -> None:
    """A new call without a token check would be found here: with no token, nothing else may answer."""
    paths = guarded.get("/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method in methods:
            status = guarded.request(method.upper(), path.replace("{", "").replace("}", "")).status_code
            assert (status == 401) != (path in ("/livez", "/readyz")), path


def test_a_token_ends_when_it_expires_or_is_revoked(guarded: TestClient, tokens: TokenFile) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    assert call(guarded, "GET", "/v1/model", tokens.create("old", (Scope.READ,), past)[1]) == 401
    token, secret = tokens.create("new", (Scope.READ,))
    assert call(guarded, "GET", "/v1/model", secret) == 200
    TokenFile(tokens.path).revoke(token.id)
    assert call(guarded, "GET", "/v1/model", secret) == 401


def test_tokens_are_kept_hashed_in_a_file_for_the_owner_alone(tokens: TokenFile) -> None:
    _, secret = tokens.create("n", (Scope.READ,))
    assert secret not in tokens.path.read_text()
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    tokens.path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        TokenFile(tokens.path)


def test_tokens_are_never_logged(guarded: TestClient, tokens: TokenFile, caplog: pytest.LogCaptureFixture) -> None:
    _, secret = tokens.create("n", (Scope.READ,))
    with caplog.at_level(logging.DEBUG):
        for path in ("/v1/model", "/v1/cycles/x", "/v1/dispatch", "/nothing"):
            call(guarded, "GET", path, secret)
    assert secret not in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_a_public_address_without_tokens_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="ebbflow token create"):
        make_access(host, None, tmp_path / "none.json")


def test_loopback_is_open_without_tokens_and_closed_with(tmp_path: Path) -> None:
    assert make_access("127.0.0.1", None, tmp_path / "t.json").open
    TokenFile(tmp_path / "t.json").create("n", (Scope.READ,))
    assert not make_access("127.0.0.1", None, tmp_path / "t.json").open
    assert is_loopback("localhost")


def test_a_token_that_is_made_while_it_serves_counts_from_the_next_call_on(rig: Rig, tmp_path: Path) -> None:
    """And for good: who revokes the last token, or removes the file, means to let nobody in."""
    file = TokenFile(tmp_path / "t.json")
    app = create_app(rig.service, make_access("127.0.0.1", None, file.path))
    client = TestClient(app, base_url="http://localhost")
    assert call(client, "GET", "/v1/model", None) == 200
    token, secret = file.create("n", (Scope.READ,))
    assert call(client, "GET", "/v1/model", None) == 401
    assert call(client, "GET", "/v1/model", secret) == 200
    assert client.get("/livez", headers={"Host": "depot.example"}).status_code == 200, "with tokens, by any name"
    file.revoke(token.id)
    assert call(client, "GET", "/v1/model", None) == 401
    file.path.unlink()
    assert call(client, "GET", "/v1/model", None) == call(client, "GET", "/v1/model", secret) == 401


def test_a_default_file_without_tokens_lets_nobody_in(tmp_path: Path) -> None:
    file = TokenFile(tmp_path / "t.json")
    file.revoke(file.create("n", (Scope.READ,))[0].id)
    access = make_access("127.0.0.1", None, file.path)
    assert not access.open
    assert not access.has_tokens


def test_a_named_file_has_to_hold_tokens(tmp_path: Path) -> None:
    empty = tmp_path / "t.json"
    for content in (None, '{"tokens": []}'):
        if content is not None:
            empty.touch(0o600)
            empty.write_text(content)
        for host in ("127.0.0.1", "0.0.0.0"):
            with pytest.raises(ConfigError, match=r"--tokens \S+ holds no tokens.*ebbflow token create"):
                make_access(host, empty)


def test_serve_refuses_a_public_address_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "token" in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "nothing is made before it is known who may call"


def test_without_tokens_it_answers_to_its_own_names_only(client: TestClient) -> None:
    """A web page whose name was made to lead to this machine gets nothing."""
    for host in ("evil.example", "localhost.evil.example", "evil.example:8080"):
        assert client.get("/livez", headers={"Host": host}).status_code == 421
    for host in ("localhost:8080", "127.0.0.1", "[::1]:8080"):
        assert client.get("/livez", headers={"Host": host}).status_code == 200


def test_a_form_of_a_web_page_is_refused(client: TestClient) -> None:
    """What a browser sends across sites without asking first."""
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        for path in ("/v1/dispatch", "/v1/controls"):
            assert client.post(path, content=b"{}", headers={"content-type": media}).status_code == 415


def test_large_bodies_are_refused(guarded: TestClient, tokens: TokenFile) -> None:
    secret = tokens.create("n", (Scope.DISPATCH, Scope.CONTROL))[1]
    headers = {"Authorization": f"Bearer {secret}", "content-type": "application/json"}
    for path in ("/v1/dispatch", "/v1/controls"):
        assert guarded.post(path, content=b" " * 60_000, headers=headers).status_code == 413
        parts = (b" " * 1000 for _ in range(60))
        assert guarded.post(path, content=parts, headers=headers).status_code == 413, "without a length"


def test_compressed_bodies_are_refused(guarded: TestClient, tokens: TokenFile) -> None:
    secret = tokens.create("n", (Scope.DISPATCH,))[1]
    headers = {"Authorization": f"Bearer {secret}", "content-type": "application/json"}
    bomb = gzip.compress(b"[" + b"1," * 10_000_000)
    for coding in ("gzip", "br", "deflate", "zstd", "identity, gzip"):
        sent = guarded.post("/v1/dispatch", content=bomb[:40_000], headers=headers | {"content-encoding": coding})
        assert sent.status_code == 415


def test_nobody_without_a_token_makes_it_read_a_body(guarded: TestClient) -> None:
    read = []

    def parts() -> object:
        for _ in range(50):
            read.append(1)
            yield b" " * 1000

    for path in ("/v1/dispatch", "/v1/controls"):
        sent = guarded.post(path, content=parts(), headers={"content-type": "application/json"})  # type: ignore[arg-type]
        assert sent.status_code == 401


def test_errors_repeat_nothing_of_what_was_sent(client: TestClient) -> None:
    mark = "s3cr3t-payload"
    bodies = [
        {mark: 1}, document(ports__id=[mark, mark, "c"]), document(ports__override=mark), document(fleet=mark + "/"),
        document(prices__tariff=[mark, mark]), document(ports__site=[mark] * 3), {**document(), "interval_s": mark},
    ]  # fmt: skip
    for body in bodies:
        told = client.post("/v1/dispatch", json=body)
        assert told.status_code == 400
        assert mark not in told.text
    for body in (
        {**ORDER, mark: 1},
        {**ORDER, "until": mark},
        {**ORDER, "control": [mark]},
        {**ORDER, "ports": {mark: 1}},
    ):
        told = client.post("/v1/controls", json=body)
        assert told.status_code == 400
        assert mark not in told.text
    for path in (f"/v1/cycles/{mark}", f"/v1/decisions?fleet=f&port=a&limit={mark}", f"/{mark}"):
        assert mark not in client.get(path).text


def test_a_failure_inside_tells_nothing(client: TestClient, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("/etc/secret of the inside")

    monkeypatch.setattr(rig.service, "dispatch", broken)
    told = client.post("/v1/dispatch", json=document())
    assert (told.status_code, told.json()) == (500, {"error": "the service failed; see its log"})


def test_what_sends_people_to_the_log_is_in_the_log(
    guarded: TestClient, tokens: TokenFile, rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def down(*_: object, **__: object) -> None:
        raise LedgerDown("the disk is gone")

    _, secret = tokens.create("n", (Scope.READ,))
    monkeypatch.setattr(rig.ledger, "cycle", down)
    assert call(guarded, "GET", "/v1/cycles/x", secret) == 503
    assert "the disk is gone" in caplog.text
    tokens.path.chmod(0o644)
    tokens.path.write_text("{}")
    told = guarded.get("/v1/model", headers={"Authorization": f"Bearer {secret}"})
    assert (told.status_code, "see the service's log" in told.json()["error"]) == (503, True)
    assert "chmod 600" in caplog.text
    assert secret not in caplog.text


@pytest.mark.parametrize("folder", ["../../etc", "/etc/passwd", "missing", "..", "x#" + "0" * 64])
def test_a_bundle_that_is_none_leaves_the_rules(tmp_path: Path, folder: str) -> None:
    from ebbflow.serving.core.settings import load_serving
    from ebbflow.serving.http.start import make_service

    service = make_service(load_serving("default"), str(tmp_path / "l.db"), folder)
    assert service.kit.runner is None
    assert "the rules decide" in service.problems[0]
    service.ledger.close()
