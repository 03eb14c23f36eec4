"""`owner-keys` and `attest --key`, as a person at a terminal uses them."""

import base64
import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from answerable.cli import owner_key_files
from answerable.cli.main import main
from answerable.model.ids import build_person_id
from answerable.server.processes.ancestors import (
    RUN_VARIABLE,
    describe_agent_ancestor,
    list_ancestors,
)
from tests.stored_contents import iterate_stored_contents

ANA, PHRASE = "ana@corp.example", "correct horse battery staple"
COMMAND = [sys.executable, "-m", "answerable"]

by_a_person = pytest.mark.skipif(
    not Path("/proc/self/stat").exists()
    or RUN_VARIABLE in os.environ
    or describe_agent_ancestor(list_ancestors(), ()) != "",
    reason="an agent runs these tests, or there is no /proc",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one agent in it, scanned, and a passphrase in a file."""
    place = tmp_path / "ana"
    place.mkdir()
    (place / ".claude.json").write_text('{"mcpServers": {}}')
    phrase = place / "phrase"
    phrase.write_text(PHRASE + "\nnot this\n")
    phrase.chmod(0o600)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    assert main(["scan", "home:~", "-q", "-o", "json"]) == 0
    return place


@pytest.fixture
def in_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests be run by an agent: these are about what comes after."""
    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors",
        lambda runs: None,
    )


class CommandOutput:
    """What each command said, all of it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.everything = ""
        capsys.readouterr()

    def __call__(self, *words: str) -> tuple[int, str, str]:
        code = main(list(words))
        out, err = self._capsys.readouterr()
        self.everything += out + err
        return code, out, err

    def items(self, *words: str) -> list[dict[str, object]]:
        code, out, err = self(*words, "-o", "json")
        assert code == 0, err
        listed: list[dict[str, object]] = json.loads(out)["items"]
        return listed


@pytest.fixture
def said(home: Path, capsys: pytest.CaptureFixture[str]) -> CommandOutput:
    return CommandOutput(capsys)


AGENT = "agent:claude-code/ana"
KEY = ".config/answerable/owner-keys/ana@corp.example.pem"


def made(said: CommandOutput, home: Path, person: str = ANA) -> tuple[str, str]:
    """Make a key and enroll it: its file, and its id."""
    (new,) = said.items(
        "owner-keys", "new", "--person", person, "--passphrase-file", f"{home}/phrase"
    )
    public = str(new["public_file"])
    (enrolled,) = said.items("owner-keys", "enroll", public, "--person", person)
    assert enrolled["id"] == new["id"]
    return str(new["key_file"]), str(new["id"])


@pytest.mark.usefixtures("in_person")
def test_a_key_is_made_enrolled_signed_with_listed_and_revoked(
    said: CommandOutput, home: Path
) -> None:
    key, name = made(said, home)
    assert key == str(home / KEY)
    signing = ("attest", "ana", "--owner", ANA, "--key", key)
    phrase = ("--passphrase-file", f"{home}/phrase")
    code, out, err = said(*signing, *phrase)
    assert (code, "owner: attested ana@corp.example" in out) == (0, True), err
    assert name in " ".join(out.split())
    assert f"advisory: {AGENT} runs as your own user" in err
    (who,) = said.items("who-owns", AGENT)
    assert who["state"] == "attested"
    (listed,) = said.items("owner-keys", "list")
    assert (listed["state"], listed["attestations"]) == ("valid", 1)
    (revoked,) = said.items("owner-keys", "revoke", name)
    assert revoked["state"] == "revoked"
    assert said.items("who-owns", AGENT)[0]["state"] == "attested"
    code, _, err = said(*signing, *phrase)
    assert (code, err.splitlines()[0]) == (1, f"error: the key {name} is revoked")
    said.items("owner-keys", "revoke", name, "--at", "1h")
    code, out, _ = said("who-owns", AGENT)
    assert "does not count: its key is revoked" in " ".join(out.split())
    assert "owner: attested" not in out


@pytest.mark.usefixtures("in_person")
def test_what_may_not_be_signed_is_told_in_two_lines(
    said: CommandOutput, home: Path
) -> None:
    key, _ = made(said, home)
    phrase = ("--passphrase-file", f"{home}/phrase")
    wrong = home / "wrong"
    wrong.write_text("another phrase\n")
    wrong.chmod(0o600)
    plain = home / "plain.pem"
    plain.write_text("-----BEGIN PRIVATE KEY-----\n")
    plain.chmod(0o600)
    opened = home / "open.pem"
    opened.write_bytes(Path(key).read_bytes())
    opened.chmod(0o644)
    rows: list[tuple[int, str, Sequence[str]]] = [
        (
            1,
            "expected a key of",
            ("--owner", "ben@corp.example", "--key", key, *phrase),
        ),
        (
            2,
            "wrong passphrase",
            ("--owner", ANA, "--key", key, "--passphrase-file", f"{wrong}"),
        ),
        (2, "not an encrypted", ("--owner", ANA, "--key", f"{plain}", *phrase)),
        (2, "not an encrypted", ("--owner", ANA, "--key", f"{wrong}", *phrase)),
        (5, "others can read it", ("--owner", ANA, "--key", f"{opened}", *phrase)),
        (5, "cannot read", ("--owner", ANA, "--key", f"{home}/none", *phrase)),
        (5, "standard input is not one", ("--owner", ANA, "--key", key)),
        (2, "requires --key", ("--owner", ANA, *phrase)),
        (
            5,
            "others can read it",
            ("--owner", ANA, "--key", key, "--passphrase-file", key + ".pub"),
        ),
    ]
    for code, why, words in rows:
        got, out, err = said("attest", AGENT, *words)
        assert (got, out, why in err) == (code, "", True), (words, err)
        assert len(err.splitlines()) == 2
    assert said.items("owner-keys", "list")[0]["attestations"] == 0
    assert said.items("who-owns", AGENT)[0]["state"] == "inferred"


@pytest.mark.usefixtures("in_person")
def test_no_key_is_written_over_and_no_short_passphrase_taken(
    said: CommandOutput, home: Path
) -> None:
    made(said, home)
    before = (home / KEY).read_bytes()
    new = ("owner-keys", "new", "--person", ANA)
    code, _, err = said(*new, "--passphrase-file", f"{home}/phrase")
    assert (code, "never overwritten" in err) == (2, True)
    assert (home / KEY).read_bytes() == before
    code, _, err = said(*new)  # told before anything is asked
    assert (code, "never overwritten" in err) == (2, True)
    (home / "half.pub").write_text("")
    code, _, err = said(
        *(*new, "--key", f"{home}/half", "--passphrase-file", f"{home}/phrase")
    )
    assert (code, (home / "half").exists()) == (2, False)
    (home / "phrase").write_text("seven77\n")
    code, _, err = said(
        *new, "--key", f"{home}/k", "--passphrase-file", f"{home}/phrase"
    )
    assert (code, "too short" in err, (home / "k").exists()) == (2, True, False)


@pytest.mark.usefixtures("in_person")
def test_what_is_no_public_key_is_not_enrolled(said: CommandOutput, home: Path) -> None:
    key, _ = made(said, home)
    for place, code in ((key, 2), (f"{home}/phrase", 2), (f"{home}/none", 5)):
        got, _, err = said("owner-keys", "enroll", place, "--person", ANA)
        assert (got, len(err.splitlines())) == (code, 2)
    got, _, err = said("owner-keys", "enroll", key + ".pub", "--person", "eve")
    assert (got, "belongs to person:ana" in err) == (2, True)
    got, _, err = said(
        *("owner-keys", "enroll", key + ".pub", "--person", ANA, "--until", "1d")
    )
    assert (got, "an end after the start" in err) == (2, True)


@pytest.mark.usefixtures("in_person")
def test_the_private_key_is_its_persons_alone_and_opens_elsewhere(
    said: CommandOutput, home: Path
) -> None:
    key, _ = made(said, home)
    assert Path(key).stat().st_mode & 0o777 == 0o600
    assert Path(key).parent.stat().st_mode & 0o777 == 0o700
    loaded = load_pem_private_key(Path(key).read_bytes(), PHRASE.encode())
    signer = owner_key_files.read_private_key(Path(key), lambda: PHRASE)
    assert loaded.private_bytes_raw() == signer.seed  # type: ignore[union-attr]
    assert signer.seed.hex() not in repr(signer)
    assert str(signer.seed) not in f"{signer} {[signer]}"


def test_a_handle_with_slashes_stays_in_its_folder(home: Path) -> None:
    folder = home / ".config" / "answerable" / "owner-keys"
    for handle in ("../../x", "@org/team", "..", "a/../../b"):
        assert (
            owner_key_files.default_key_file(build_person_id(handle)).resolve().parent
            == folder
        )


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            for content in iterate_stored_contents(path):
                yield path, content


@pytest.mark.usefixtures("in_person")
def test_neither_passphrase_nor_private_key_is_said_or_stored(
    said: CommandOutput, home: Path, tmp_path: Path
) -> None:
    key, name = made(said, home)
    seed = owner_key_files.read_private_key(Path(key), lambda: PHRASE).seed
    phrase = ("--passphrase-file", f"{home}/phrase")
    for form in ("table", "json", "ndjson", "csv"):
        for words in (
            ("attest", AGENT, "--owner", ANA, "--key", key, *phrase, "--debug"),
            ("attest", AGENT, "--owner", "ben", "--key", key, *phrase, "--debug"),
            ("attest", AGENT, "--owner", ANA, "--key", key, "--passphrase-file", key),
            ("who-owns", AGENT),
            ("owner-keys", "list"),
            ("sql", "select * from owners"),
            ("evidence", "verify"),
        ):
            said(*words, "-o", form)
    said("owner-keys", "revoke", name, "--debug")
    body = "".join(Path(key).read_text().splitlines()[1:-1])
    secrets = {
        PHRASE.encode(),
        seed,
        seed.hex().encode(),
        base64.b64encode(seed)[:40],
        base64.urlsafe_b64encode(seed)[:40],
        body[-40:].encode(),
    }
    for secret in secrets:
        assert secret not in said.everything.encode()
        for path, content in _contents(tmp_path / "store"):
            assert secret not in content, path
    assert any(name.encode() in content for _, content in _contents(tmp_path / "store"))


# Makes standard input the terminal of a session of its own, then becomes the command.
LOGIN = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class TerminalProcess:
    """A command on a terminal of its own, to whom a person types."""

    def __init__(self, words: Sequence[str], cwd: Path) -> None:
        self._fd, inner = pty.openpty()
        self._child = subprocess.Popen(
            [sys.executable, "-c", LOGIN, *words],
            cwd=cwd,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self.shown = ""

    def until(self, text: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while text not in self.shown:
            left = max(0.0, end - time.monotonic())
            ready, _, _ = select.select([self._fd], [], [], left)
            assert ready, self.shown
            self.shown += os.read(self._fd, 4096).decode()

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode() + b"\n")

    def end(self) -> int:
        # Reading fails once nobody holds the other side any more (man 4 pts).
        with contextlib.suppress(OSError):
            while data := os.read(self._fd, 4096):
                self.shown += data.decode()
        os.close(self._fd)
        return self._child.wait(60)


@by_a_person
def test_a_person_at_a_terminal_types_the_passphrase_unseen(home: Path) -> None:
    new = TerminalProcess([*COMMAND, "owner-keys", "new", "--person", ANA], home)
    new.until("passphrase: ")
    new.type(PHRASE)
    new.until("repeat the passphrase: ")
    new.type(PHRASE)
    assert new.end() == 0, new.shown
    enroll = subprocess.run(
        [*COMMAND, "owner-keys", "enroll", f"{KEY}.pub", "--person", ANA],
        cwd=home,
        capture_output=True,
        check=False,
    )
    assert enroll.returncode == 0, enroll.stderr
    words = [*COMMAND, "attest", AGENT, "--owner", ANA, "--key", KEY]
    wrong = TerminalProcess(words, home)
    wrong.until("passphrase: ")
    wrong.type("something else")
    assert wrong.end() == 2
    assert "wrong passphrase" in wrong.shown
    sign = TerminalProcess(words, home)
    sign.until("passphrase: ")
    sign.type(PHRASE)
    assert sign.end() == 0, sign.shown
    assert "owner: attested ana@corp.example" in sign.shown
    for each in (new, sign):
        assert PHRASE not in each.shown


@by_a_person
def test_two_passphrases_that_differ_make_no_key(home: Path) -> None:
    new = TerminalProcess([*COMMAND, "owner-keys", "new", "--person", ANA], home)
    new.until("passphrase: ")
    new.type(PHRASE)
    new.until("repeat the passphrase: ")
    new.type(PHRASE + "!")
    assert new.end() == 2
    assert "differ" in new.shown
    assert not (home / KEY).exists()


def test_what_an_agent_starts_may_not_sign(home: Path, tmp_path: Path) -> None:
    """A fake client starts a shell, and that one answerable."""
    key, phrase = home / KEY, home / "phrase"
    owner_key_files.write_key_pair(key, PHRASE)
    lines = "\n".join(
        f"{sys.executable} -m answerable {words} </dev/null; echo code $?"
        for words in (
            f"attest {AGENT} --owner {ANA} --key {key} --passphrase-file {phrase}",
            f"owner-keys new --person eve --passphrase-file {phrase}",
            f"owner-keys enroll {key}.pub --person {ANA}",
            "owner-keys revoke owner-key:abcdef",
            f"asks allow abcdef012345 --key {key} --passphrase-file {phrase}",
            f"asks refuse abcdef012345 --key {key} --passphrase-file {phrase}",
            f"asks revoke abcdef012345 --key {key} --passphrase-file {phrase}",
            f"break-glass start --agent {AGENT} --server s --tool t --key {key} "
            f"--passphrase-file {phrase}",
            f"break-glass confirm abcdef012345 --key {key} --passphrase-file {phrase}",
        )
    )
    script = tmp_path / "inner"
    script.write_text(f"{lines}\n")
    fake = tmp_path / "claude"
    fake.write_text(f"#!/bin/sh\nbash {script}\ntrue\n")
    fake.chmod(0o700)
    done = subprocess.run(
        [str(fake)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.split() == ["code", "5"] * 9, done.stderr
    assert done.stderr.count("error: only a person may do this") == 9
    words = [*COMMAND, "owner-keys", "list", "-o", "json"]
    listed = subprocess.run(words, capture_output=True, check=True)
    assert json.loads(listed.stdout)["items"] == []
