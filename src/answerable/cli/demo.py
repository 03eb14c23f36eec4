"""`answerable demo`: the whole chain on this machine, nothing outside needed.

Each step prints a real command and then its answer; nothing here computes anything a
user could not ask for. The sample estate and its store lie in a folder of their own
and are removed at the end unless `keep` names one.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from answerable.cli.sample import write_estate
from answerable.cli.sample.account import CUSTOMER_BUCKET, DELETED_ROLE, REPORT_KEY
from answerable.model.errors import EnvironmentRefused

Main = Callable[[Sequence[str]], int]

_OBJECTS = f"{CUSTOMER_BUCKET}/*"
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
    return f"(one bit of byte {middle} of {segment} was changed)"


CHAPTERS = (
    Chapter(
        "What agents are here, and what do they act through?",
        (
            Step(
                "Read a home, a repository, an account dump and its key list. Nothing "
                "is executed, nothing is sent, no value is kept.",
                (
                    "scan",
                    "home:home/ana",
                    "repo:repo",
                    "aws:aws/account.json",
                    "aws-keys:aws/keys.json",
                ),
            ),
            Step(
                "The agents, their owners, and the identities behind them.", ("agents",)
            ),
        ),
    ),
    Chapter(
        "One key in a config file: whose is it, and how far does it reach?",
        (
            Step(
                "The key lies in a client's configuration; the key list says which "
                "user it proves.",
                ("credentials",),
            ),
            Step(
                "Who answers for it, and why.", ("who-owns", f"cred:aws/{REPORT_KEY}")
            ),
            Step(
                "The user itself cannot read customer data. Through a role it can.",
                ("can", f"cred:aws/{REPORT_KEY}", "s3:GetObject", _OBJECTS),
            ),
        ),
    ),
    Chapter(
        "Customer data was read last night. Who was that?",
        (
            Step(
                "Take in the trail. It becomes sealed evidence before anything is "
                "derived from it.",
                ("ingest", "cloudtrail:trail"),
            ),
            Step(
                "From the touched objects back to a person, every hop with how it is "
                "known.",
                (
                    "trace",
                    "--resource",
                    f"{CUSTOMER_BUCKET}/customers/*",
                    "--limit",
                    "5",
                    "--tree",
                ),
            ),
        ),
    ),
    Chapter(
        "The role that did it is gone. The answer is not.",
        (
            Step(
                "It was created, used and deleted within minutes; no inventory ever "
                "saw it.",
                ("trace", "--identity", DELETED_ROLE, "--action", "iam:*"),
            ),
            Step("The trail still says who made it.", ("who-owns", DELETED_ROLE)),
        ),
    ),
    Chapter(
        "Can anybody else check this?",
        (
            Step(
                "Walk every record, segment, manifest and the log.",
                ("evidence", "verify"),
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
        with tempfile.TemporaryDirectory(prefix="answerable-demo-") as name:
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
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _quoted(word: str) -> str:
    return f"'{word}'" if "*" in word else word


def _run(step: Step, main: Main) -> bool:
    _say(f"{step.says}\n")
    _say("$ answerable " + " ".join(map(_quoted, step.command)))
    code = main(step.command)
    _say()
    if code != step.ends:
        _say(f"error: this step ended with exit code {code}, expected {step.ends}")
    return code == step.ends


def _tell(chapters: Sequence[Chapter], main: Main) -> bool:
    held = True
    for number, chapter in enumerate(chapters, 1):
        _say(f"{number}. {chapter.title}\n")
        if chapter.before is not None:
            _say(chapter.before())
        for step in chapter.steps:
            held = _run(step, main) and held
    return held


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
        _say("A sample estate, written just now; nothing in it is real.\n")
        write_estate(Path(), time.time_ns())
        held = _tell(CHAPTERS, main)
    took = time.monotonic() - started
    _say(f"That was the whole chain, in {took:.0f} s. On your own machine, try:\n")
    _say("  answerable scan          this home and this folder; reads files only")
    _say("  answerable agents        what was found, and who answers for it")
    _say("  answerable where         every path a scan looks at")
    if keep is not None:
        _say(f"\nThe estate and its store are in {keep}.")
    return 0 if held else 1
