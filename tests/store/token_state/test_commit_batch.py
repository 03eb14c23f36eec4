"""Several exchanges at once are what each would have been by itself, in their order."""

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from answerable.model.errors import AnswerableError
from answerable.store.token_state.interface import (
    DONE,
    Committed,
    Control,
    ControlUnavailable,
    Exchange,
    IdTaken,
    Outcome,
    one_by_one,
)
from answerable.store.token_state.sqlite import SqliteControl
from tests.store.token_state.conftest import Opens
from tests.store.token_state.sample_rows import (
    NOW,
    delegation,
    opened,
    ticket,
    token,
    use,
)

# What an exchange of a group is made of: some of three things that are good once (one of
# them from before the epoch), what it stands under, whether it takes the ticket, and whether its id was given before.
PARTS = st.tuples(
    st.sets(st.integers(0, 2), max_size=2),
    st.sampled_from(["", "live", "dead", "unknown"]),
    st.booleans(),
    st.booleans(),
)
GROUPS = st.lists(PARTS, min_size=1, max_size=6)


def asked(
    control: Control, groups: list[tuple[set[int], str, bool, bool]]
) -> list[Exchange]:
    """Make the exchanges, and what they rest on."""
    control.new_epoch(NOW - 100)
    live, dead = opened(control), opened(control)
    control.revoke_delegation(dead.id, NOW)
    slip = ticket(live)
    control.put_ticket(slip, NOW)
    things = [use(), use(), use(since=NOW - 101)]
    under = {"": "", "live": live.id, "dead": dead.id, "unknown": "f" * 32}
    made = []
    for uses, stands, takes, again in groups:
        link = delegation()
        if again:
            link = replace(link, id=live.id)
        made.append(
            Exchange(
                uses=tuple(things[each] for each in sorted(uses)),
                ticket=slip.sha256 if takes else "",
                under=under[stands],
                opens=link,
                token=token(link),
            )
        )
    return made


def told(answer: Committed | AnswerableError) -> object:
    return answer if isinstance(answer, Committed) else type(answer)


def state_of(control: SqliteControl) -> list[object]:
    tables = ("delegation", "token", "ticket")
    rows = [sorted(control._execute(f"SELECT * FROM {each}")) for each in tables]  # noqa: S608
    return [*rows, sorted(control._execute("SELECT key, expires FROM used"))]


@settings(max_examples=60, deadline=None)
@given(groups=GROUPS)
def test_a_group_is_what_its_members_are_one_by_one(
    tmp_path_factory: pytest.TempPathFactory,
    groups: list[tuple[set[int], str, bool, bool]],
) -> None:
    holds(tmp_path_factory.mktemp("group"), groups)


def holds(folder: Path, groups: list[tuple[set[int], str, bool, bool]]) -> None:
    """The law of groups."""
    first = SqliteControl(folder / "one", NOW, "boot")
    exchanges = asked(first, groups)
    first.close()
    other = folder / "two"
    other.mkdir(mode=0o700)
    copied = other / "control.db"
    copied.write_bytes((folder / "one" / "control.db").read_bytes())
    copied.chmod(0o600)
    together = SqliteControl(folder / "one", NOW, "boot")
    apart = SqliteControl(other, NOW, "boot")
    answers = together.commit_all(exchanges, NOW)
    expected = one_by_one(apart.commit, exchanges, NOW)
    assert list(map(told, answers)) == list(map(told, expected))
    assert state_of(together) == state_of(apart)
    together.close()
    apart.close()


def test_the_law_finds_a_group_that_keeps_half_of_a_refused_exchange(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted mistake: what was not done is not taken back."""

    def kept(
        self: SqliteControl, exchanges: list[Exchange], now: float
    ) -> list[Committed | AnswerableError]:
        return [self._kept(each, now) for each in exchanges]  # type: ignore[attr-defined]

    def one(self: SqliteControl, each: Exchange, now: float) -> object:
        self._file.begin()
        try:
            return self._commit(each, now)
        except sqlite3.IntegrityError:
            return IdTaken("taken")
        finally:
            self._execute("COMMIT")

    monkeypatch.setattr(SqliteControl, "_kept", one, raising=False)
    monkeypatch.setattr(SqliteControl, "commit_all", kept)

    # What is found first will do: nobody reads how small it could be.
    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    @given(groups=GROUPS)
    def law(groups: list[tuple[set[int], str, bool, bool]]) -> None:
        holds(tmp_path_factory.mktemp("group"), groups)

    with pytest.raises(AssertionError):
        law()


def test_one_that_was_seen_leaves_the_others_alone(control: Control) -> None:
    shown = use()
    control.see(shown, NOW)
    links = [delegation() for _ in range(3)]
    uses = [(use(),), (use(), shown), (use(),)]
    exchanges = [
        Exchange(each, opens=link, token=token(link))
        for each, link in zip(uses, links, strict=True)
    ]
    answers = control.commit_all(exchanges, NOW)
    assert answers == (DONE, Committed(Outcome.SEEN, shown), DONE)
    on_record = [control.delegation(link.id) for link in links]
    assert on_record == [links[0], None, links[2]]
    # Nothing of the one that was refused is used up.
    assert control.see(uses[1][0], NOW) is Outcome.DONE


def test_one_thing_in_two_of_a_group_is_good_in_the_first(control: Control) -> None:
    shown = use()
    answers = control.commit_all([Exchange((shown,)), Exchange((shown,))], NOW)
    assert answers == (DONE, Committed(Outcome.SEEN, shown))


def test_an_id_that_is_taken_is_told_to_whoever_brought_it(control: Control) -> None:
    there, link = opened(control), delegation()
    exchanges = [Exchange(opens=there), Exchange(opens=link)]
    answers = control.commit_all(exchanges, NOW)
    assert isinstance(answers[0], IdTaken)
    assert answers[1] == DONE
    assert control.delegation(link.id) == link


def test_a_record_that_does_not_answer_does_so_for_all(control: Control) -> None:
    control.close()
    exchanges = [Exchange((use(),)), Exchange((use(),))]
    try:
        answers = control.commit_all(exchanges, NOW)
    except ControlUnavailable:
        return
    assert [type(each) for each in answers] == [ControlUnavailable] * 2


def test_groups_that_race_for_the_same_things_have_each_once(opens: Opens) -> None:
    """Four threads show the same twenty things, five at a time, in their own order."""
    things = [use() for _ in range(20)]
    controls = [opens() for _ in range(4)]
    gate = threading.Barrier(len(controls))
    done: list[int] = []

    def run(control: Control, turn: int) -> None:
        order = [(place * (2 * turn + 1)) % 20 for place in range(20)]
        gate.wait()
        for start in range(0, 20, 5):
            mine = order[start : start + 5]
            asked = [Exchange((things[each],)) for each in mine]
            for each, answer in zip(mine, control.commit_all(asked, NOW), strict=True):
                if answer == DONE:
                    done.append(each)

    turns = (0, 1, 3, 4)  # odd steps that go through all of twenty
    threads = [
        threading.Thread(target=run, args=pair)
        for pair in zip(controls, turns, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(20))


def test_a_group_survives_the_end_of_its_process_whole(tmp_path: Path) -> None:
    control = SqliteControl(tmp_path, NOW, "boot")
    links = [delegation() for _ in range(5)]
    control.commit_all([Exchange(opens=link) for link in links], NOW)
    again = SqliteControl(tmp_path, NOW, "boot")
    assert [again.delegation(link.id) for link in links] == links
    again.close()
    control.close()
