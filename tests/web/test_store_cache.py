"""The desk: what stands is kept, and made anew when something changed."""

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.store.store import Store
from answerable.usecases.inventory import ownership
from answerable.web import store_cache as desks
from answerable.web.store_cache import Desk


@pytest.fixture
def own(
    estate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    """A desk on a store that may be written to; reading it counts as quick."""
    monkeypatch.setattr(desks, "_SHORT", 60.0)
    shutil.copytree(estate / "store", tmp_path / "store")
    made = Desk(tmp_path / "store")
    yield made
    made.close()


def confirm(desk: Desk, subject: str, person: str) -> None:
    with Store.open(desk.root, now=0, create=False) as store:
        inventory = desk.standing().inventory
        ownership.attest(store, inventory, subject, person, now=time.time_ns())


def an_agent(desk: Desk) -> str:
    return next(iter(desk.standing().inventory.agents))


def test_what_stands_is_read_once(own: Desk) -> None:
    assert own.standing() is own.standing()
    assert own.version() == own.version()


def test_what_was_just_said_is_seen_at_once_where_reading_is_quick(own: Desk) -> None:
    agent, before = an_agent(own), own.version()
    confirm(own, agent, "zoe@corp.example")
    assert own.standing().inventory.owners[agent].person == "person:zoe@corp.example"
    assert own.version() != before


def test_where_reading_is_slow_the_last_one_answers_until_the_next_is_there(
    own: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "_SHORT", 0.0)
    monkeypatch.setattr(desks, "_SHARE", 0)
    go, made = threading.Event(), desks.stand

    def slowly(*args: object, **named: object) -> object:
        assert go.wait(10)
        return made(*args, **named)  # type: ignore[arg-type]  # passed on

    agent, before = an_agent(own), own.standing()
    monkeypatch.setattr(desks, "stand", slowly)
    confirm(own, agent, "zoe@corp.example")
    assert own.standing() is before
    go.set()
    for _ in range(500):
        if own.standing() is not before:
            break
        time.sleep(0.02)
    assert own.standing().inventory.owners[agent].person == "person:zoe@corp.example"


def test_what_was_made_of_the_last_one_is_made_of_the_next_before_it_answers(
    own: Desk,
) -> None:
    seen: list[str] = []
    own.kept("length", lambda standing: seen.append(standing.version))
    own.kept("length", lambda standing: seen.append(standing.version))
    assert len(seen) == 1
    confirm(own, an_agent(own), "zoe@corp.example")
    version = own.standing().version
    assert seen[1:] == [version]


def test_what_is_kept_may_ask_for_more_that_is_kept(own: Desk) -> None:
    def outer(_: object) -> str:
        return own.kept("inner", lambda standing: standing.version)

    assert own.kept("outer", outer) == own.standing().version
    confirm(own, an_agent(own), "zoe@corp.example")
    assert own.kept("outer", outer) == own.standing().version


def test_ownership_is_judged_again_after_a_minute(
    own: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = own.standing()
    later = time.time_ns() + 61 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: later)
    after = own.standing()
    assert after.at == later
    assert after.chains is before.chains
    assert after.inventory.facts is before.inventory.facts
