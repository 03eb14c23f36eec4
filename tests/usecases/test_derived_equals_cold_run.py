"""Answers from derived files equal those of a cold run, whatever happened in between."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import AnswerableError
from answerable.model.inventory import Inventory
from answerable.model.sighting import SightedFacts, Sync
from answerable.services.inventory import snapshots
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.inventory import inventory_listing, ownership
from answerable.usecases.reach import permissions
from tests.inventory.fact_builders import NOW
from tests.inventory.stored_scans import save
from tests.lineage.test_ingest import SOURCE
from tests.reach.account_builder import role, user
from tests.reach.test_incremental_update import accounts

CALLS = (("s3:GetObject", "arn:aws:s3:::red/key"), ("sts:AssumeRole", role("one")))
# Steps may depend on some stated keys; others are of the call alone.
CONTEXTS = (None, {"aws:SourceIp": ("10.0.0.1",)}, {"s3:prefix": ("a",)})
FILES = ("inventory", "input", "uses", "estate", "steps", "platform_identities")


def said(ask: Callable[[], Document]) -> object:
    try:
        document = ask()
    except AnswerableError as error:
        return type(error).__name__, str(error)
    return list(document.items), document.coverage


def answers(inventory: Inventory, store: EvidenceStore) -> list[object]:
    """Ask of a snapshot what its derived files answer."""
    found = [
        said(lambda: inventory_listing.list_agents(inventory, now=NOW)),
        said(lambda: inventory_listing.list_identities(inventory, now=NOW)),
        said(lambda: ownership.show_owner(inventory, role("one"), now=NOW)),
        said(
            lambda: permissions.list_subject_permissions(
                inventory, user("ana"), now=NOW
            )
        ),
        said(
            lambda: permissions.list_subject_permissions(
                inventory, user("ben"), now=NOW, limit=2
            )
        ),
    ]
    for action, on in CALLS:
        for context in CONTEXTS:
            found.extend(
                said(
                    lambda n=name, a=action, r=on, c=context: (
                        permissions.check_permission(
                            inventory, n, a, r, now=NOW, context=c
                        )
                    )
                )
                for name in (user("ana"), user("ben"), role("one"))
            )
            found.append(
                said(
                    lambda a=action, r=on, c=context: permissions.list_who_can(
                        inventory, a, r, now=NOW, context=c
                    )
                )
            )
    return found


class StoreHistories(RuleBasedStateMachine):
    """Scans, edits, ingests and lost or spoiled files, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = EvidenceStore.open(
            self.folder / "store", now=NOW, create=True
        ).__enter__()
        self.derived = self.store.root / "derived"
        self.facts: SightedFacts | None = None
        self.at = NOW
        self.ingested = False

    @initialize(facts=accounts())
    def scan_first(self, facts: SightedFacts) -> None:
        self.scan(facts)

    @rule(facts=accounts())
    def scan(self, facts: SightedFacts) -> None:
        self.facts = facts
        self._save(facts)

    @rule(data=st.data(), other=accounts())
    def edit(self, data: st.DataObject, other: SightedFacts) -> None:
        """Exchange one policy's statements for those of another."""
        assert self.facts is not None
        policies = list(self.facts.policies)
        number = data.draw(st.integers(0, len(policies) - 1))
        theirs = data.draw(st.sampled_from(other.policies)).statements
        policies[number] = replace(policies[number], statements=theirs)
        self.scan(replace(self.facts, policies=tuple(policies)))

    @precondition(lambda self: not self.ingested)
    @rule()
    def ingest(self) -> None:
        self.ingested = True
        ingest_logs(self.store, [SOURCE], now=NOW)

    @rule(name=st.sampled_from(FILES))
    def lose(self, name: str) -> None:
        (self.derived / f"{name}.blocks").unlink(missing_ok=True)

    @rule(name=st.sampled_from(FILES), cut=st.sampled_from([1, 100, 10_000]))
    def cut(self, name: str, cut: int) -> None:
        path = self.derived / f"{name}.blocks"
        if path.exists():
            path.write_bytes(path.read_bytes()[:-cut])

    @rule(name=st.sampled_from(FILES), other=st.sampled_from(FILES))
    def swap(self, name: str, other: str) -> None:
        """Put one file in the place of another, as a careless copy does."""
        path = self.derived / f"{other}.blocks"
        if path.exists() and name != other:
            shutil.copyfile(path, self.derived / f"{name}.blocks")

    @rule(facts=accounts())
    def lag(self, facts: SightedFacts) -> None:
        """Scan; the derived files of before stay, as when a writer was killed."""
        before = self.folder / "before"
        shutil.rmtree(before, ignore_errors=True)
        if self.derived.exists():
            shutil.copytree(self.derived, before)
        self.scan(facts)
        snapshots.load_inventory(self.store, now=NOW)
        if before.exists():
            shutil.rmtree(self.derived)
            shutil.copytree(before, self.derived)

    def _save(self, facts: SightedFacts) -> None:
        self.at += 1
        words = ("identity-policies", "role-trust")
        save(
            self.store, [Sync("aws:a", "aws", self.at, facts, collected=words)], self.at
        )

    @invariant()
    def derived_answers_are_those_of_a_cold_run(self) -> None:
        if self.facts is None:
            return
        aside = self.folder / "aside"
        if self.derived.exists():
            self.derived.rename(aside)
        joined = snapshots.load_inventory(self.store, now=NOW)
        cold = answers(replace(joined, derived=None), self.store)
        shutil.rmtree(self.derived, ignore_errors=True)
        if aside.exists():
            aside.rename(self.derived)
        for _ in ("kept perhaps", "kept for sure"):
            assert (
                answers(snapshots.load_inventory(self.store, now=NOW), self.store)
                == cold
            )

    def teardown(self) -> None:
        self.store.__exit__(None, None, None)
        shutil.rmtree(self.folder)


@pytest.mark.parametrize(
    "lives", [2, pytest.param(60, marks=pytest.mark.world, id="many")]
)
def test_any_sequence_of_changes_leaves_the_answers_of_a_cold_run(lives: int) -> None:
    run_state_machine_as_test(
        StoreHistories,
        settings=settings(
            max_examples=lives,
            stateful_step_count=4,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )


def test_a_writer_that_is_killed_leaves_the_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", "store")
    write_sample(Path(), NOW)
    assert main(["--quiet", "scan", "aws:aws/account.json"]) == 0
    capsys.readouterr()
    words = ["-o", "json", "who-can", "s3:GetObject", "arn:aws:s3:::northwind-x/y"]
    killed = 0
    for delay in (0.2, 0.35, 0.5, 0.65):
        shutil.rmtree("store/derived", ignore_errors=True)
        asked = subprocess.Popen(
            [sys.executable, "-m", "answerable", *words],
            stdout=subprocess.DEVNULL,
            env=dict(os.environ),
        )
        try:
            asked.wait(delay)
        except subprocess.TimeoutExpired:
            asked.send_signal(signal.SIGKILL)
            asked.wait(60)
            killed += 1
        assert main(words) == 0
        once = capsys.readouterr().out
        shutil.rmtree("store/derived")
        assert main(words) == 0
        assert items(capsys.readouterr().out) == items(once)
    print(f"{killed} writers killed")


def test_steps_are_kept_for_the_newest_stated_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", "store")
    write_sample(Path(), NOW)
    assert main(["--quiet", "scan", "aws:aws/account.json"]) == 0
    words = ["-o", "json", "who-can", "sts:AssumeRole", "*"]
    for key in ("aws:SourceIp=10.0.0.1", "sts:RoleSessionName=a"):
        for _ in ("found", "restored"):
            capsys.readouterr()
            assert main([*words, "--context", key]) == 0
            out = capsys.readouterr().out
        shutil.rmtree("store/derived")
        assert main([*words, "--context", key]) == 0
        assert items(capsys.readouterr().out) == items(out)
    monkeypatch.setattr("answerable.store.inventory_cache._MAX_FILES_KEPT", 2)
    for name in ("a", "b", "c"):
        assert main([*words, "--context", f"sts:RoleSessionName={name}"]) == 0
    assert len(list(Path("store/derived").glob("steps-*.blocks"))) == 2


def items(out: str) -> object:
    return json.loads(out)["items"]
