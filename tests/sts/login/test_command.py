"""`login` and `logout` as a person types them; and what must stand nowhere."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from answerable.cli import signing
from answerable.cli.main import main
from tests.cli.human_user import HUMAN_USER
from tests.federation.sample_tokens import EC, document, public
from tests.sts.login import fake_provider as fake
from tests.sts.login.conftest import LoginSetup
from tests.sts.login.fake_provider import ACCESS, CODE, DEVICE_CODE, REFRESH, visit

ANYBODY = "import sys; from answerable.cli.main import main; sys.exit(main())"


@dataclass
class Machine:
    """A person's machine without a display.

    Attributes:
        environ: Of every process.
        folder: Where the sign-in is kept.
        program: Runs a command as a person, or as whoever the tests run as.
    """

    environ: dict[str, str]
    folder: Path
    program: str = HUMAN_USER

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", self.program, *words],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        with self.start(*words) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def sign_in(
        self, stage: LoginSetup, *more: str, words: tuple[str, ...] = ()
    ) -> tuple[int, str, str]:
        """Sign in; the browser goes where standard error says."""
        named = ("login", "--issuer", stage.provider.iss, "--client-id", "answerable")
        words = words or named
        with self.start(*words, *more) as process:
            assert process.stderr is not None
            said = [process.stderr.readline(), process.stderr.readline()]
            address = said[1].strip()
            if "/auth?" in address:
                visit(stage.provider.answer(address))
            out, err = process.communicate(timeout=60)
        return process.returncode, out, "".join(said) + err


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(runtime),
    }
    return Machine(environ, runtime / "answerable")


@pytest.fixture
def signed_in(machine: Machine, stage: LoginSetup) -> Machine:
    code, out, err = machine.sign_in(stage)
    assert code == 0, err
    assert "person:ana@example.com" in out
    return machine


def test_a_person_signs_in_asks_who_they_are_and_signs_out(signed_in: Machine):
    code, out, _ = signed_in.run("login", "--status", "-o", "json")
    (item,) = json.loads(out)["items"]
    assert (code, item["person"]) == (0, "person:ana@example.com")
    assert item["place"] == str(signed_in.folder / "login.json")
    assert signed_in.run("logout") == (0, "", "signed out\n")
    assert signed_in.run("logout") == (0, "", "no person was signed in\n")
    code, out, _ = signed_in.run("login", "--status")
    assert (code, out) == (1, "no person is signed in: answerable login\n")


def test_a_configuration_pins_where_to_sign_in(
    machine: Machine, stage: LoginSetup, tmp_path: Path
):
    (tmp_path / "keys.json").write_bytes(document(public(EC, kid="k1")))
    (tmp_path / "answerable.yaml").write_text(
        f"""\
issuers:
  corp:
    iss: {stage.provider.iss}
    audience: answerable
    keys: keys.json
    person: email
    tokens: [id-token]
  agents: {{iss: "https://agents.example", audience: a, keys: keys.json}}
"""
    )
    config = ("login", "--config", str(tmp_path / "answerable.yaml"))
    code, out, err = machine.sign_in(stage, "-o", "json", words=config)
    assert code == 0, err
    (item,) = json.loads(out)["items"]
    assert (item["issuer"], item["iss"]) == ("corp", stage.provider.iss)


@pytest.mark.parametrize("way", [(), ("--device",)], ids=["browser", "device"])
def test_no_token_code_or_verifier_stands_anywhere_but_in_the_one_file(
    machine: Machine, stage: LoginSetup, tmp_path: Path, way: tuple[str, ...]
):
    stage.provider.device = {"interval": 1}
    code, out, err = machine.sign_in(stage, *way, "--debug")
    status = machine.run("login", "--status", "-o", "json")
    assert (code, status[0]) == (0, 0)
    stage.provider.redirect = {"state": "another"}
    stage.provider.polls = [(400, {"error": "access_denied"})]
    refused = machine.sign_in(stage, *way, "--debug")
    assert refused[0] == 1
    (id_token,) = stage.provider.given
    verifiers = [form.get("code_verifier", CODE) for form in stage.provider.forms]
    canaries = [*id_token.split("."), CODE, DEVICE_CODE, ACCESS, REFRESH, *verifiers]
    said = out + err + "".join(status[1:]) + "".join(refused[1:])
    assert not [canary for canary in canaries if canary in said]
    kept = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert list(kept) == [machine.folder / "login.json"]
    (text,) = kept.values()
    assert [canary for canary in canaries if canary in text] == id_token.split(".")


def test_an_agent_s_run_is_refused_before_anything_is_asked(
    signed_in: Machine, stage: LoginSetup
):
    signed_in.environ["ANSWERABLE_RUN"] = "0123456789abcdef0123456789abcdef"
    signed_in.program = ANYBODY
    before = len(stage.provider.forms)
    for words in (("login", "--status"), ("login", "--issuer", "https://x.example")):
        code, out, err = signed_in.run(*words)
        assert (code, out) == (5, "")
        assert err.startswith("error: only a person may do this")
        assert len(err.splitlines()) == 2
    assert len(stage.provider.forms) == before
    # To end a sign-in takes nobody's authority.
    assert signed_in.run("logout")[0] == 0


def test_what_an_agent_client_starts_is_refused(signed_in: Machine, tmp_path: Path):
    client = tmp_path / "claude"
    client.write_text(f'#!/bin/sh\n{sys.executable} -c "$@"\nexit $?\n')
    client.chmod(0o700)
    done = subprocess.run(
        [client, ANYBODY, "login", "--status"],
        env=signed_in.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error: only a person may do this")


def test_a_refused_sign_in_leaves_the_one_before(signed_in: Machine, stage: LoginSetup):
    stage.provider.used.clear()
    stage.provider.claims = {"nonce": "another"}
    code, out, err = signed_in.sign_in(stage)
    assert (code, out) == (1, "")
    assert "error: the id_token does not belong to this sign-in (nonce" in err
    assert signed_in.run("login", "--status")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no issuer for the sign-in is given"),
        (("--issuer", "https://idp.example"), "no issuer for the sign-in is given"),
        (("--client-id", "x"), "no issuer for the sign-in is given"),
        (("--issuer", "http://idp.example", "--client-id", "x"), "is not an https URL"),
        (("--config", "/nonexistent.yaml"), "/nonexistent.yaml"),
    ],
)
def test_what_is_missing_or_wrong_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
):
    monkeypatch.setattr(signing, "require_human", lambda *_: None)
    assert main(["login", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


def test_the_stand_in_provider_is_one_that_can_say_no() -> None:
    with fake.running() as provider:
        form = {"client_id": "another", "grant_type": "authorization_code"}
        assert provider.token(form) == (400, {"error": "invalid_client"})
