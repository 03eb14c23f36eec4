"""Every command that signs looks at the key's file before it asks for the passphrase."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from answerable.cli import owner_key_files, signing
from answerable.cli.app import app
from answerable.cli.main import main
from answerable.model.approval_request import ApprovalScope
from answerable.model.decision import TargetKind
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.policy_exception import NO_ARGUMENTS
from answerable.store.store import EvidenceStore

Wanting = Callable[[ApprovalScope], None]

AGENT, WANTED = (
    "agent:declared/desk",
    ApprovalScope(
        AgentId("agent:declared/desk"), "files", TargetKind.TOOL, "read", "ab" * 32
    ),
)
# Words that bring each command to the signature, but for the key.
FINDING = "finding:unowned-agent/0123456789abcdef"
DAY = str(datetime.now(UTC).date() + timedelta(days=30))
COMMANDS: dict[str, tuple[str, ...]] = {
    "attest": (AGENT, "--owner", "ana@corp.example"),
    "asks allow": ("0" * 32,),
    "asks refuse": ("0" * 32,),
    "asks revoke": ("0" * 32,),
    "baseline sign": ("0" * 64, "--stage", "shadow"),
    "break-glass confirm": ("0" * 32,),
    "break-glass start": ("--agent", AGENT, "--server", "files", "--tool", "read"),
    "credential-policies end": (AGENT, "--for", "aws"),
    "credential-policies sign": (AGENT, "--for", "aws", "--starter", "metadata"),
    "findings assign": (FINDING, "bo"),
    "findings reopen": (FINDING,),
    "findings suppress": (FINDING, "--reason", "x", "--until", DAY),
    "requests file": (AGENT, "--value", "Alice Example"),
    "run": ("--agent", "desk", "--request", "words"),
    "tools approve": ("files", "--config", "answerable.yaml"),
}
# The first makes a key, the other one reads a configuration first (test_tighten.py).
_UNASKED = ("owner-keys new", "tighten")


def _signing(group: click.Group, above: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _signing(command, f"{above}{name} ")
        if any(each.name == "passphrase_file" for each in command.params):
            yield above + name


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    place = tmp_path_factory.mktemp("key") / "ana.pem"
    owner_key_files.write_key_pair(place, "correct horse")
    return place.read_bytes()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("signing") / "store"
    EvidenceStore.open(root, now=1).close()
    return root


@pytest.fixture
def folder(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for what a command looks at before the key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", str(root))
    (tmp_path / "words").write_text("Write to Alice Example")
    plan = SimpleNamespace(store=root, state=root / "gateway")
    for name, made in {
        "answerable.server.processes.ancestors.refuse_agent_ancestors": None,
        "answerable.cli.signing.describe_shared_user": "",
        "answerable.cli.commands.asks.print_argument_provenance": None,
        "answerable.cli.commands.tools._select_definitions": None,
        "answerable.cli.commands.tools._show_differences": None,
        "answerable.cli.commands.tools._warn_about_policies": None,
        "answerable.cli.commands.tools.read_gateway_plan": plan,
        "answerable.usecases.inventory.ownership.resolve_subject": AGENT,
        "answerable.services.baseline.profile_learning.load_profile": None,
        "answerable.server.pins.pin_files.PinFiles.read_pins": None,
    }.items():
        monkeypatch.setattr(name, lambda *_, made=made, **named: made)

    def asked(file: str) -> str:
        raise UsageError("the passphrase was asked for", "it is not typed here")

    monkeypatch.setattr("answerable.cli.signing.read_passphrase", asked)
    return tmp_path


@pytest.fixture(autouse=True)
def wanted(monkeypatch: pytest.MonkeyPatch) -> Wanting:
    """Have every ask, and every break-glass that was begun, be about one act."""

    def want(act: ApprovalScope) -> None:
        names = ("agent", "server", "target", "name", "arguments")
        begun = SimpleNamespace(
            persons=("person:ben",),
            until=1,
            **{name: getattr(act, name) for name in names},
        )
        for name, made in {
            "answerable.services.authorization.approval_requests.find_approval_request": SimpleNamespace(
                scope=act
            ),
            "answerable.services.authorization.approval_requests.find_policy_exception": SimpleNamespace(
                exception=begun
            ),
            "answerable.usecases.authorization.answer_approval_requests.require_not_allowed": None,
        }.items():
            monkeypatch.setattr(name, lambda *_, made=made: made)

    want(WANTED)
    return want


def _cut(at: int) -> Callable[[Path, bytes], object]:
    return lambda place, key: place.write_bytes(key[:at])


KEYS: dict[str, tuple[Callable[[Path, bytes], object], str]] = {
    "not there": (lambda place, key: None, "cannot read the key file"),
    "a folder": (lambda place, key: place.mkdir(), "cannot read the key file"),
    "empty": (_cut(0), "is not an encrypted private key"),
    "cut off early": (_cut(60), "is truncated or damaged"),
    "cut off late": (_cut(-40), "is truncated or damaged"),
    "a line short": (
        lambda place, key: place.write_bytes(
            b"".join(
                key.splitlines(keepends=True)[:2] + key.splitlines(keepends=True)[3:]
            )
        ),
        "is truncated or damaged",
    ),
    "whole": (
        lambda place, key: place.write_bytes(key),
        "the passphrase was asked for",
    ),
}


def refusal(
    folder: Path,
    key: bytes,
    how: str,
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Lay the file of a key, and hear that the command refuses, and why."""
    make, why = KEYS[how]
    make(folder / "key", key)
    if (folder / "key").is_file():
        (folder / "key").chmod(0o600)
    assert main(words) in (2, 5)
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if line.startswith(("error:", "hint:"))]
    assert (out, len(said), why in said[0]) == ("", 2, True), err


NAME = 'read" at "notes", with any arguments, for 1h \u202e'
QUOTED = r'"read\" at \"notes\", with any arguments, for 1h \u202e"'
AT_FILES = ("--agent", AGENT, "--server", "files")
DID = f'"{AGENT}" to do this: tool {QUOTED} at "files"'
THESE = f'with only these arguments (SHA-256 "{"ab" * 32}")'


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("asks", "allow", "0" * 32), f"you allow {DID}, {THESE}, for 1h"),
        (
            ("asks", "allow", "0" * 32, "--always", "--any-arguments"),
            f"you allow {DID}, with any arguments, until it is revoked",
        ),
        (("asks", "refuse", "0" * 32), f"you do not allow {DID}, {THESE}"),
        (
            ("break-glass", "start", *AT_FILES, "--tool", NAME),
            f"you allow {DID}, with any arguments, for 30m, once a second person confirms",
        ),
        (
            ("break-glass", "confirm", "0" * 32),
            f"with person:ben you allow {DID}, {THESE}, until 1970-01-01T00:00:01Z",
        ),
        (
            ("requests", "file", AGENT, "--value", "rent, 1200", "--value", NAME),
            f'your request to "{AGENT}" contains the values: "rent, 1200", {QUOTED}',
        ),
    ],
)
def test_nothing_that_an_agent_has_written_passes_for_the_sentence_that_is_signed(
    folder: Path,
    wanted: Wanting,
    words: tuple[str, ...],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wanted(replace(WANTED, name=NAME))
    assert main((*words, "--key", "key")) == 5
    assert capsys.readouterr().err.splitlines()[0] == sentence


@pytest.mark.parametrize("digest", ["", NO_ARGUMENTS])
def test_a_call_without_arguments_is_signed_as_one(
    folder: Path, wanted: Wanting, digest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted(replace(WANTED, arguments=digest))
    assert main(("asks", "allow", "0" * 32, "--key", "key")) == 5
    said = 'tool "read" at "files", without arguments, for 1h'
    assert said in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("how", ["not there", "cut off late", "whole"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_key_that_cannot_be_one_is_told_before_the_passphrase_is_asked_for(
    folder: Path, key: bytes, command: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    started = ("--", "true") if command == "run" else ()
    words = (*command.split(), *COMMANDS[command], "--key", "key", *started)
    refusal(folder, key, how, words, capsys)


def test_no_command_that_signs_is_left_out() -> None:
    assert sorted(_signing(app)) == sorted((*COMMANDS, *_UNASKED))


@pytest.mark.parametrize("how", KEYS)
def test_what_is_wrong_with_the_file_of_a_key_is_said(
    folder: Path, key: bytes, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("asks", "revoke", "0" * 32, "--key", "key")
    refusal(folder, key, how, words, capsys)


def test_a_passphrase_of_no_letters_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("getpass.getpass", lambda prompt, stream: "")
    with pytest.raises(UsageError, match="no passphrase was entered"):
        signing.read_passphrase("")
