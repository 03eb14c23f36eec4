"""What a server by command is given in its environment, and that it never comes back."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.serve.running_gateway import backend
from tests.gateway.stdio.test_command_upstream import Caller
from tests.gateway.stdio.wrapper_fixture import (
    SCRIPTED,
    TOOLS,
    WRAPPER,
    Wrapped,
    call,
    is_gone,
    said,
    settings,
    wrapper,
)
from tests.mcp.gateway import configuration, gateway
from tests.mcp.running import ROOT
from tests.stored_contents import iterate_stored_contents

SECRET, NEWER = "kept/for+the-command==", "newer/for+the-command=="
BROKEN = -32603


def sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def keep(folder: Path, secret: str) -> None:
    fresh = folder / "fresh"
    fresh.write_text(secret)
    fresh.chmod(0o600)
    fresh.rename(folder / "secret")


def kept(**more: Any) -> dict[str, Any]:
    """Settings in which the server has a credential."""
    config = settings()
    config["servers"]["scripted"] |= {
        "credential": {"file": "secret", "as_env": "API_TOKEN"}
    } | more
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("given")
    keep(place, SECRET)
    return place


@pytest.fixture(scope="module")
def wrapped(folder: Path) -> Iterator[Wrapped]:
    with wrapper(folder, config=kept()) as running:
        yield running


def test_a_wrapped_server_is_given_it(wrapped: Wrapped) -> None:
    assert said(wrapped.ask(call("digest", variable="API_TOKEN"))) == sha256(SECRET)


def test_a_line_that_holds_it_becomes_an_error(wrapped: Wrapped) -> None:
    answer = wrapped.ask(call("environment"))
    assert answer["error"]["code"] == BROKEN
    assert SECRET not in json.dumps(answer)
    wrapped.send(call("complain", 2))
    assert wrapped.answer()["id"] == 2


def test_nothing_is_left_of_it_and_the_operator_is_told(tmp_path: Path) -> None:
    keep(tmp_path, SECRET)
    with wrapper(tmp_path, config=kept()) as wrapped:
        wrapped.ask(call("environment"))
        wrapped.ask(call("complain"))
        assert wrapped.end() == 0
        told = wrapped.errors()
    assert "scripted returned its credential: the response was withheld" in told
    assert "the server complains\n" in told
    assert SECRET not in told
    left = [
        path
        for path in tmp_path.rglob("*")
        if path.is_file()
        and any(SECRET.encode() in each for each in iterate_stored_contents(path))
    ]
    assert left == [tmp_path / "secret"]
    asked = (
        "select reason, ended, identity from lineage join decisions using (decision_id)"
    )
    argv = [sys.executable, "-m", "answerable", "--store", "store", "-o", "json", "sql"]
    rows = subprocess.check_output([*argv, asked], cwd=tmp_path)
    assert rows.count(b"cred:fp/") == 2
    assert rows.count(b'"leaked"') == 1


def test_standard_error_passes_with_the_secret_redacted(tmp_path: Path) -> None:
    keep(tmp_path, SECRET)
    with wrapper(tmp_path, config=kept()) as wrapped:
        wrapped.ask(call("complain", 1, variable="API_TOKEN"))
        wrapped.ask(call("complain", 2, variable="API_TOKEN", form="hex"))
        wrapped.ask(call("complain", 3, long=200_000))
        wrapped.ask(call("complain", 4))
        assert wrapped.end() == 0
        told = wrapped.errors()
    assert SECRET not in told
    assert SECRET.encode().hex() not in told
    lines = [
        each for each in told.splitlines() if "complains" in each or "its s" in each
    ]
    assert lines == [
        "the server complains ***",
        "answerable: a line with a form of its secret on its standard error is withheld",
        "the server complains",
        "answerable: a line of more than 64 KiB on its standard error is withheld",
    ]


def test_words_of_the_client_are_given_it_and_not_the_variable_that_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPT_HERE", SECRET)
    config = kept(credential={"env": "KEPT_HERE", "as_env": "API_TOKEN"})
    with wrapper(tmp_path, *SCRIPTED, config=config) as wrapped:
        for name, value in {"API_TOKEN": SECRET, "KEPT_HERE": ""}.items():
            assert said(wrapped.ask(call("digest", variable=name))) == sha256(value)


def test_without_it_a_wrapped_server_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "answerable.yaml").write_text(json.dumps(kept()))
    argv = [*WRAPPER, "--config", str(tmp_path / "answerable.yaml")]
    ran = subprocess.run(
        [*argv, "--server", "scripted"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode != 0
    assert "no credential for scripted: it cannot be read" in ran.stderr
    assert "servers.scripted.credential" in ran.stderr


def test_a_store_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    keep(tmp_path, SECRET)
    (tmp_path / "store").write_text("not a folder")
    with wrapper(tmp_path, config=kept()) as wrapped:
        assert wrapped.process.wait(60) == 5
        *_, error, hint = wrapped.errors().splitlines()
        named = f"cannot start scripted: the store {tmp_path / 'store'} cannot be used"
        assert named in error
        assert hint.startswith("hint: restore this folder")


def test_a_wrapped_url_is_sent_it(tmp_path: Path) -> None:
    keep(tmp_path, SECRET)
    with backend() as server:
        url = f"http://127.0.0.1:{server.server_port}/mcp"
        config = settings()
        config["servers"]["scripted"] = {
            "url": url,
            "credential": {"file": "secret", "header": "X-Api-Key"},
            "pin": "off",  # nothing is asked of it beside the calls
        }
        with wrapper(tmp_path, config=config) as wrapped:
            answers = [wrapped.ask(call("echo", id)) for id in (1, 2)]
            assert [each["id"] for each in answers] == [1, 2]
            assert wrapped.end() == 0
        assert {*server.shown} == {("x-api-key", SECRET)}


@contextmanager
def behind(folder: Path) -> Iterator[Caller]:
    reads = [tool for tool in TOOLS if tool != "ask"]
    credential = {"file": "secret", "as_env": "API_TOKEN"}
    config = configuration(
        {"command": SCRIPTED, "reads": reads, "credential": credential}
    )
    config["agents"]["conformance"]["allow"] = [{"server": "fixtures", "tools": TOOLS}]
    with gateway(folder, config) as enforcing, closing(Caller(enforcing)) as caller:
        yield caller


def until_it_is(caller: Caller, secret: str) -> int:
    """Ask until the process was started with a secret; its process id."""
    until = time.monotonic() + 60
    while caller.asked("digest", variable="API_TOKEN") != sha256(secret):
        assert time.monotonic() < until
        time.sleep(0.1)
    return int(caller.asked("echo")["pid"])


def test_a_process_behind_the_gateway_is_given_it_and_a_newer_one_the_newer(
    tmp_path: Path,
) -> None:
    keep(tmp_path, SECRET)
    with behind(tmp_path) as caller:
        first = until_it_is(caller, SECRET)
        caller.call("environment")
        (answer,) = caller.messages()
        assert answer["error"]["code"] == BROKEN
        with closing(Caller.beside(caller)) as older:
            older.initialize()
            its = int(older.asked("echo")["pid"])
            assert older.asked("digest", variable="API_TOKEN") == sha256(SECRET)
            keep(tmp_path, NEWER)
            assert until_it_is(caller, NEWER) != first
            assert is_gone(first)
            older.call("echo")
            assert older.client.answer().status == 404  # the session begins anew
            assert is_gone(its)
