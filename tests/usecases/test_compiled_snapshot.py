"""A snapshot compiled once answers as one that is compiled for each question."""

import json
import threading
import time
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import AnswerableError
from answerable.model.inventory import Inventory
from answerable.reach.aws.compiled_graph import load_graph
from answerable.services.inventory import snapshots
from answerable.services.reach.compiled_snapshots import QueryLock, compile_snapshot
from answerable.store.store import EvidenceStore
from answerable.usecases.aws_permissions import list_used_actions
from answerable.usecases.reach import permissions

NOW = 1_795_000_000_000_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estate")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ANSWERABLE_STORE", "store")
        write_sample(Path(), NOW)
        sources = ("home:home/ana", "aws:aws/account.json", "aws-keys:aws/keys.json")
        assert main(["--quiet", "scan", *sources]) == 0
    return folder / "store"


def loaded(store: Path) -> Inventory:
    with EvidenceStore.open(store, now=NOW, create=False) as opened:
        return snapshots.load_inventory(opened, now=NOW)


def asked(inventory: Inventory, store: Path, subject: str) -> list[object]:
    """Ask everything there is to ask about a subject."""
    with EvidenceStore.open(store, now=NOW, create=False) as opened:
        return [
            _said(
                lambda: permissions.list_subject_permissions(
                    inventory, subject, now=NOW
                )
            ),
            _said(
                lambda: permissions.list_subject_permissions(
                    inventory, subject, now=NOW, action="s3:*"
                )
            ),
            _said(
                lambda: list_used_actions.list_used_actions(
                    opened, inventory, subject, now=NOW
                )
            ),
            *(
                _said(
                    lambda c=context, a=action, d=direct: permissions.check_permission(
                        inventory, subject, a, "*", now=NOW, context=c, direct=d
                    )
                )
                for context in (None, {"aws:SourceIp": ("10.0.0.1",)})
                for action in ("s3:GetObject", "no:Such")
                for direct in (True, False)
            ),
        ]


def _said(ask: object) -> object:
    try:
        document = ask()  # type: ignore[operator]  # a question
    except AnswerableError as error:
        return error.message, error.hint
    assert isinstance(document, Document)
    return document


def test_answers_are_the_same_whether_the_graph_is_kept_or_not(store: Path) -> None:
    fresh, kept = loaded(store), loaded(store)
    compile_snapshot(kept)
    subjects = [*list(fresh.agents)[:1], fresh.facts.identities[0].id]
    for subject in subjects:
        for _ in range(2):  # what was found on the way changes nothing
            assert asked(kept, store, subject) == asked(fresh, store, subject)
    for action in ("s3:GetObject", "sts:AssumeRole", "iam:PassRole"):
        assert _said(
            lambda a=action: permissions.list_who_can(kept, a, "*", now=NOW)
        ) == _said(lambda a=action: permissions.list_who_can(fresh, a, "*", now=NOW))


def test_a_graph_is_taken_over_by_the_same_scans_alone(store: Path) -> None:
    first, second = loaded(store), loaded(store)
    compile_snapshot(first)
    compile_snapshot(second, first)
    assert second.get_value_if_computed(
        "the compiled snapshot"
    ) is first.get_value_if_computed("the compiled snapshot")
    main(["--quiet", "--store", str(store), "scan", "home:."])
    third = loaded(store)
    compile_snapshot(third, second)
    assert third.get_value_if_computed(
        "the compiled snapshot"
    ) is not first.get_value_if_computed("the compiled snapshot")


def test_answers_are_the_same_from_steps_that_were_kept_on_disk(store: Path) -> None:
    first = loaded(store)
    subjects = [*list(first.agents)[:1], first.facts.identities[0].id]
    found = [asked(loaded(store), store, subject) for subject in subjects]
    assert (store / "derived" / "steps.blocks").is_file()
    again = [asked(loaded(store), store, subject) for subject in subjects]
    assert found == again
    (store / "derived" / "steps.blocks").write_bytes(b"x")
    assert [asked(loaded(store), store, subject) for subject in subjects] == found


def test_a_list_that_is_cut_says_from_how_many_identities_it_is(store: Path) -> None:
    inventory = loaded(store)
    subject = next(i.id for i in inventory.facts.identities if "report-bot" in i.id)
    whole = permissions.list_subject_permissions(inventory, subject, now=NOW)
    assert len(whole.items) > 2
    assert "shown" not in whole.coverage
    for limit in range(1, len(whole.items)):
        cut = permissions.list_subject_permissions(
            inventory, subject, now=NOW, limit=limit
        )
        assert cut.items == whole.items[:limit]
        shown = cut.coverage["shown"]
        assert (shown["rows"], shown["what"]) == (limit, "identities")
        assert 1 <= shown["done"] <= shown["of"]
    same = permissions.list_subject_permissions(
        inventory, subject, now=NOW, limit=len(whole.items) + 1
    )
    assert same.items == whole.items
    assert "shown" not in same.coverage


def edited(store: Path, change: object) -> Inventory:
    """Scan the account again after a change of its file."""
    folder = store.parent
    file = folder / "aws/account.json"
    details = json.loads(file.read_text())
    change(details)  # type: ignore[operator]  # a change
    again = folder / "aws/edited.json"
    again.write_text(json.dumps(details))
    file.rename(folder / "aws/kept.json")
    again.rename(file)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("ANSWERABLE_STORE", "store")
            assert main(["--quiet", "scan", "aws:aws/account.json"]) == 0
        return loaded(store)
    finally:
        (folder / "aws/kept.json").rename(file)


def _no_more_steps(
    details: dict[str, list[dict[str, list[dict[str, object]]]]],
) -> None:
    """Take every statement but the first out of the inline policies of users."""
    for user in details["UserDetailList"]:
        for policy in user.get("UserPolicyList", []):
            document = policy["PolicyDocument"]
            document["Statement"] = document["Statement"][:1]  # type: ignore[index]


def _one_user_less(details: dict[str, list[object]]) -> None:
    details["UserDetailList"] = details["UserDetailList"][1:]


@pytest.mark.parametrize(
    ("change", "cold"), [(_no_more_steps, False), (_one_user_less, True)]
)
def test_a_later_snapshot_is_answered_as_one_that_is_compiled_alone(
    store: Path, change: object, cold: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = loaded(store)
    compile_snapshot(before)
    subjects = [*list(before.agents)[:2], *(i.id for i in before.facts.identities[:3])]
    for subject in subjects:
        asked(before, store, subject)
    later = edited(store, change)
    compiled = []
    monkeypatch.setattr(
        "answerable.reach.aws.query_context.load_graph",
        lambda *args, **named: compiled.append(args) or load_graph(*args, **named),
    )
    compile_snapshot(later, before)
    assert bool(compiled) is cold
    fresh = loaded(store)
    for subject in subjects:
        assert asked(later, store, subject) == asked(fresh, store, subject)


def test_a_long_query_lets_waiting_ones_run() -> None:
    lock, order = QueryLock(), []

    def ask() -> None:
        with lock:
            order.append("waiting query")

    with lock:
        waiting = threading.Thread(target=ask)
        waiting.start()
        until = time.monotonic() + 60
        while not order and time.monotonic() < until:
            with lock:
                lock.let_waiting_run()  # not in the middle of a nested query
            assert not order
            if lock.has_waiting():
                lock.let_waiting_run()
        order.append("long query")
    waiting.join()
    assert order == ["waiting query", "long query"]
