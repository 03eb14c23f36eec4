"""`answerable demo`: the whole chain on this machine, nothing outside needed.

Each step prints a real command and then its answer; nothing here computes anything a
user could not ask for. The sample estate and its store lie in a folder of their own
and are removed at the end unless `keep` names one.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from answerable.cli.sample import trail, write_estate
from answerable.cli.sample.account import (
    ACCOUNT,
    CI_DEPLOY,
    CUSTOMER_BUCKET,
    DELETED_ROLE,
    REPORT_KEY,
)
from answerable.connectors.cloudtrail.parse.records import read_record
from answerable.model.errors import EnvironmentRefused
from answerable.model.event import AuditEvent
from answerable.model.written import WrittenBy

Main = Callable[[Sequence[str]], int]

_OBJECTS = f"{CUSTOMER_BUCKET}/*"
_ACCOUNT = f"arn:aws:iam::{ACCOUNT}"
_WIDTH = 80
# Stands for the id of the event that made the role; it changes with the moment.
_MADE = "EVENT"
_BUNDLE = "role-made.bundle"
STORE = "store"
COPY = "copy"


@dataclass(frozen=True, slots=True)
class Step:
    """A sentence, the command that shows it, and the exit code it must end with."""

    says: str
    command: tuple[str, ...]
    ends: int = 0


@dataclass(frozen=True, slots=True)
class Chapter:
    """A title and its steps; `before` prepares the ground, e.g. damages a copy."""

    title: str
    steps: tuple[Step, ...]
    before: Callable[[], str] | None = None


def _damage_copy() -> str:
    """Copy the store and change one byte in the middle of a sealed segment."""
    segments = sorted(Path(STORE).glob("segments/**/*.parquet"))
    if not segments:
        return "(nothing was sealed, so there is nothing to change)"
    shutil.copytree(STORE, COPY)
    segment = Path(COPY) / segments[0].relative_to(STORE)
    content = bytearray(segment.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    segment.write_bytes(bytes(content))
    return f"(one bit of byte {middle} of {segment} was changed.)"


CHAPTERS = (
    Chapter(
        "What agents are here, and what do they act through?",
        (
            Step(
                "Read a home, a repository, an account dump and its key list. Nothing "
                "is executed, nothing is sent, no secret value is kept.",
                (
                    "scan",
                    "home:home/ana",
                    "repo:repo",
                    "aws:aws/account.json",
                    "aws-keys:aws/keys.json",
                ),
            ),
            Step(
                "The agents, and who answers for each. The .gitconfig says that ana is "
                "ana@corp.example; an agent could have written that, so it is shown, "
                "not believed.",
                ("agents",),
            ),
            Step(
                "The tools they carry. A credential is classed by where it stands, "
                "never by trying it.",
                ("tools",),
            ),
        ),
    ),
    Chapter(
        "One key in a subagent's file: whose is it, and how far does it reach?",
        (
            Step(
                "The key list says which user each key proves.",
                ("credentials", "--kind", "aws-access-key"),
            ),
            Step(
                "Who answers for it, and why.", ("who-owns", f"cred:aws/{REPORT_KEY}")
            ),
            Step(
                "Its user may not read customer data. A role that it may assume can.",
                ("can", f"cred:aws/{REPORT_KEY}", "s3:GetObject", _OBJECTS),
            ),
        ),
    ),
    Chapter(
        "A pipeline runs an agent on every comment. How far could that go?",
        (
            Step(
                "Its role may only make functions, and hand them a role.",
                ("can", CI_DEPLOY, "iam:CreateUser", f"{_ACCOUNT}:user/new"),
            ),
        ),
    ),
    Chapter(
        "Customer data was read two hours ago. Who was that?",
        (
            Step(
                "Take in the trail. It becomes sealed evidence before anything is "
                "derived from it.",
                ("ingest", "cloudtrail:trail"),
            ),
            Step(
                "From the touched objects back to a person, each hop with how it is "
                "known: the platform saw the last three; the first three are "
                "inferred, since the files of chapter 1 were read after the fact.",
                (
                    "trace",
                    "--resource",
                    f"{CUSTOMER_BUCKET}/customers/*",
                    "--limit",
                    "3",
                    "--tree",
                ),
            ),
        ),
    ),
    Chapter(
        "The role that did it is gone. The answer is not.",
        (
            Step(
                "It was made, used and deleted within minutes; no scan ever saw it. "
                "The trail holds all that was done to it.",
                ("trace", "--resource", DELETED_ROLE, "--tree"),
            ),
            Step(
                "Whom to ask about it: whoever answers for the user that made it.",
                ("who-owns", DELETED_ROLE),
            ),
        ),
    ),
    Chapter(
        "Can anybody else check this?",
        (
            Step(
                "Walk every record, every segment and the signed log.",
                ("evidence", "verify"),
            ),
            Step(
                "Hand out the record of the role's making, with its proof.",
                ("evidence", "bundle", _MADE, "--out", _BUNDLE),
            ),
            Step(
                "Whoever has the public key checks it, with no store at all.",
                ("evidence", "verify", _BUNDLE, "--key", f"{STORE}/keys/log.pub"),
            ),
        ),
    ),
    Chapter(
        "And if somebody changes a single bit?",
        (
            Step(
                "The same check on the damaged copy names the first record that does "
                "not hold, and ends with exit code 1.",
                ("--store", COPY, "evidence", "verify"),
                ends=1,
            ),
        ),
        before=_damage_copy,
    ),
)


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="demo-") as name:
            yield Path(name)
        return
    if keep.exists() and any(keep.iterdir()):
        raise EnvironmentRefused(
            f"{keep} is not empty", "name a folder that does not exist yet"
        )
    keep.mkdir(parents=True, exist_ok=True)
    yield keep


@contextlib.contextmanager
def _own_store() -> Iterator[None]:
    before = os.environ.get("ANSWERABLE_STORE")
    os.environ["ANSWERABLE_STORE"] = STORE
    try:
        yield
    finally:
        os.environ.pop("ANSWERABLE_STORE")
        if before is not None:
            os.environ["ANSWERABLE_STORE"] = before


def _say(text: str = "") -> None:
    """Print one paragraph, folded; answers of commands fold themselves."""
    folded = textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=True)
    sys.stdout.write("\n".join(folded) + "\n")
    sys.stdout.flush()


def _typed(command: Sequence[str]) -> str:
    """Spell a command as one would type it, on as many lines as it takes."""
    words = ["$ answerable", *(f"'{w}'" if "*" in w else w for w in command)]
    lines = [words[0]]
    for word in words[1:]:
        # Two more are for the space and the backslash.
        if len(lines[-1]) + 1 + len(word) + 2 <= _WIDTH:
            lines[-1] += " " + word
        else:
            lines.append("    " + word)
    return " \\\n".join(lines) + "\n"


def _answered(main: Main, command: Sequence[str]) -> int:
    """Run a command; of its notes, leave out what to type next: the story goes on."""
    notes = io.StringIO()
    with contextlib.redirect_stderr(notes):
        code = main(command)
    for line in notes.getvalue().splitlines():
        if not line.startswith("next: "):
            _say(line)
    return code


def _run(step: Step, main: Main) -> bool:
    _say(step.says)
    _say()
    sys.stdout.write(_typed(step.command))
    sys.stdout.flush()
    code = _answered(main, step.command)
    _say()
    if code != step.ends:
        _say(f"error: this step ended with exit code {code}, expected {step.ends}")
    return code == step.ends


def _tell(chapters: Sequence[Chapter], main: Main, made: str) -> bool:
    held = True
    for number, chapter in enumerate(chapters, 1):
        _say(f"{number}. {chapter.title}")
        _say()
        if chapter.before is not None:
            _say(chapter.before())
            _say()
        for step in chapter.steps:
            words = tuple(made if word == _MADE else word for word in step.command)
            held = _run(replace(step, command=words), main) and held
    return held


def _made(now_ns: int) -> str:
    """Give the id of the event that made the role, as ingest will give it."""
    now = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    for _, record in trail.records(now):
        if record["eventName"] == "CreateRole":
            read = read_record(json.dumps(record).encode(), WrittenBy.PLATFORM)
            if isinstance(read, AuditEvent):
                return read.event_id.hex()
    return _MADE


def run(main: Main, keep: Path | None = None) -> int:
    """Tell the story; return 0 when every step ended as it should, else 1.

    Args:
        main: The command line's entry: takes argv, returns the exit code.
        keep: Folder to leave estate and store in; a temporary one otherwise.

    Raises:
        EnvironmentRefused: `keep` is not empty.
    """
    started = time.monotonic()
    with _folder(keep) as folder, contextlib.chdir(folder), _own_store():
        _say("A sample estate, written just now; nothing in it is real.")
        _say()
        now = time.time_ns()
        write_estate(Path(), now)
        held = _tell(CHAPTERS, main, _made(now))
    took = time.monotonic() - started
    _say(f"That was the whole chain, in {took:.0f} s. On your own machine, try:")
    _say()
    _say("  answerable where         every path a scan looks at")
    _say("  answerable scan          this home and this folder; reads files only")
    _say("  answerable agents        what was found, and who answers for it")
    if keep is not None:
        _say()
        _say(f"The estate and its store are in {keep}.")
        _say(f"Go on with: ANSWERABLE_STORE={keep / STORE} answerable trace --tree")
    return 0 if held else 1
