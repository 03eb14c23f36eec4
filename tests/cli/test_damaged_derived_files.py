"""A damaged derived file is derived again; no command and no page fails because of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.model.errors import DerivedFileError
from answerable.model.sighting import SightedFacts
from answerable.services.inventory import snapshots
from answerable.store.store import EvidenceStore
from tests.cli.conftest import CommandResult

Run = Callable[..., CommandResult]
PLACES = 5
COMMANDS = (
    ("agents",),
    ("identities",),
    ("findings",),
    ("who-can", "s3:GetObject", "arn:aws:s3:::northwind-x/y"),
)


@pytest.fixture
def derived(sample_account: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The derived files of a store with the sample's account and trail."""
    assert main(["--quiet", "ingest", "cloudtrail:trail"]) == 0
    capsys.readouterr()
    return sample_account / "derived"


def flip_byte(path: Path, share: float) -> None:
    """Flip a bit at a place of a file, without changing its size."""
    with path.open("r+b") as file:  # in place: a server may have mapped it
        at = int(share * (path.stat().st_size - 1))
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_command_answers_from_the_log_where_a_derived_file_is_damaged(
    derived: Path, run: Run, words: Sequence[str]
) -> None:
    asked = ["-o", "json", *words]
    first = run(*asked)
    assert first.code == 0, first.err
    items = json.loads(first.out)["items"]
    files = sorted(derived.glob("*.blocks"))
    assert files
    for number in range(PLACES + 1):
        for path in files:
            flip_byte(path, number / PLACES)
        again = run(*asked)
        assert (again.code, again.err) == (0, first.err), number
        assert json.loads(again.out)["items"] == items, number


def test_a_command_that_writes_is_not_repeated(
    derived: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("agents").code == 0
    tries = []

    def fail(*_: object, **__: object) -> None:
        tries.append(1)
        raise DerivedFileError("derived/inventory.blocks was changed", "run it again")

    monkeypatch.setattr(snapshots, "load_inventory", fail)
    assert run("attest", "data-reader", "--owner", "ana@corp.example").code == 1
    assert len(tries) == 1


def test_the_damaged_file_is_named_and_removed(derived: Path) -> None:
    with EvidenceStore.open(derived.parent, now=0) as store:
        loaded = snapshots.load_inventory(store)
        loaded = snapshots.load_inventory(store)  # from the file
        for number in range(20, 40):
            flip_byte(derived / "inventory.blocks", number / 40)
        with pytest.raises(DerivedFileError, match=r"derived/inventory\.blocks"):
            [getattr(loaded.facts, kind.name) for kind in fields(SightedFacts)]
    assert not (derived / "inventory.blocks").exists()
