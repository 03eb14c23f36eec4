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
    COMMITTED,
    CommitOutcome,
    CommitResult,
    ExchangeCommit,
    IdConflict,
    TokenState,
    TokenStateUnavailable,
    commit_exchanges_one_by_one,
)
from answerable.store.token_state.sqlite import SqliteTokenState
from tests.store.token_state.conftest import Opens
from tests.store.token_state.sample_rows import (
    NOW,
    delegation,
    open_delegation,
    replay_key,
    ticket,
    token,
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


def build_exchanges(
    control: TokenState, groups: list[tuple[set[int], str, bool, bool]]
) -> list[ExchangeCommit]:
    """Make the exchanges, and what they rest on."""
    control.declare_possible_loss(NOW - 100)
    live, dead = open_delegation(control), open_delegation(control)
    control.revoke_delegation(dead.id, NOW)
    slip = ticket(live)
    control.store_ticket(slip, NOW)
    things = [replay_key(), replay_key(), replay_key(since=NOW - 101)]
    under = {"": "", "live": live.id, "dead": dead.id, "unknown": "f" * 32}
    made = []
    for uses, stands, takes, again in groups:
        link = delegation()
        if again:
            link = replace(link, id=live.id)
        made.append(
            ExchangeCommit(
                uses=tuple(things[each] for each in sorted(uses)),
                ticket=slip.sha256 if takes else "",
                under=under[stands],
                opens=link,
                token=token(link),
            )
        )
    return made


def describe_answer(answer: CommitResult | AnswerableError) -> object:
    return answer if isinstance(answer, CommitResult) else type(answer)


def state_of(control: SqliteTokenState) -> list[object]:
    tables = ("delegation", "token", "ticket")
    rows = [sorted(control._execute(f"SELECT * FROM {each}")) for each in tables]  # noqa: S608
    return [*rows, sorted(control._execute("SELECT key, expires FROM used"))]


@settings(max_examples=60, deadline=None)
@given(groups=GROUPS)
def test_a_group_is_what_its_members_are_one_by_one(
    tmp_path_factory: pytest.TempPathFactory,
    groups: list[tuple[set[int], str, bool, bool]],
) -> None:
    check_law_of_groups(tmp_path_factory.mktemp("group"), groups)


def check_law_of_groups(
    folder: Path, groups: list[tuple[set[int], str, bool, bool]]
) -> None:
    """The law of groups."""
    first = SqliteTokenState(folder / "one", NOW, "boot")
    exchanges = build_exchanges(first, groups)
    first.close()
    other = folder / "two"
    other.mkdir(mode=0o700)
    copied = other / "control.db"
    copied.write_bytes((folder / "one" / "control.db").read_bytes())
    copied.chmod(0o600)
    together = SqliteTokenState(folder / "one", NOW, "boot")
    apart = SqliteTokenState(other, NOW, "boot")
    answers = together.commit_batch(exchanges, NOW)
    expected = commit_exchanges_one_by_one(apart.commit, exchanges, NOW)
    assert list(map(describe_answer, answers)) == list(map(describe_answer, expected))
    assert state_of(together) == state_of(apart)
    together.close()
    apart.close()


def test_the_law_finds_a_group_that_keeps_half_of_a_refused_exchange(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted mistake: what was not done is not taken back."""

    def kept(
        self: SqliteTokenState, exchanges: list[ExchangeCommit], now: float
    ) -> list[CommitResult | AnswerableError]:
        return [self._kept(each, now) for each in exchanges]  # type: ignore[attr-defined]

    def one(self: SqliteTokenState, each: ExchangeCommit, now: float) -> object:
        self._file.begin_write_transaction()
        try:
            return self._commit_exchange(each, now)
        except sqlite3.IntegrityError:
            return IdConflict("taken")
        finally:
            self._execute("COMMIT")

    monkeypatch.setattr(SqliteTokenState, "_kept", one, raising=False)
    monkeypatch.setattr(SqliteTokenState, "commit_batch", kept)

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
        check_law_of_groups(tmp_path_factory.mktemp("group"), groups)

    with pytest.raises(AssertionError):
        law()


def test_one_that_was_seen_leaves_the_others_alone(control: TokenState) -> None:
    shown = replay_key()
    control.record_single_use_key(shown, NOW)
    links = [delegation() for _ in range(3)]
    uses = [(replay_key(),), (replay_key(), shown), (replay_key(),)]
    exchanges = [
        ExchangeCommit(each, opens=link, token=token(link))
        for each, link in zip(uses, links, strict=True)
    ]
    answers = control.commit_batch(exchanges, NOW)
    assert answers == (COMMITTED, CommitResult(CommitOutcome.SEEN, shown), COMMITTED)
    on_record = [control.find_delegation(link.id) for link in links]
    assert on_record == [links[0], None, links[2]]
    # Nothing of the one that was refused is used up.
    assert control.record_single_use_key(uses[1][0], NOW) is CommitOutcome.DONE


def test_one_thing_in_two_of_a_group_is_good_in_the_first(control: TokenState) -> None:
    shown = replay_key()
    answers = control.commit_batch(
        [ExchangeCommit((shown,)), ExchangeCommit((shown,))], NOW
    )
    assert answers == (COMMITTED, CommitResult(CommitOutcome.SEEN, shown))


def test_an_id_that_is_taken_is_told_to_whoever_brought_it(control: TokenState) -> None:
    there, link = open_delegation(control), delegation()
    exchanges = [ExchangeCommit(opens=there), ExchangeCommit(opens=link)]
    answers = control.commit_batch(exchanges, NOW)
    assert isinstance(answers[0], IdConflict)
    assert answers[1] == COMMITTED
    assert control.find_delegation(link.id) == link


def test_a_record_that_does_not_answer_does_so_for_all(control: TokenState) -> None:
    control.close()
    exchanges = [ExchangeCommit((replay_key(),)), ExchangeCommit((replay_key(),))]
    try:
        answers = control.commit_batch(exchanges, NOW)
    except TokenStateUnavailable:
        return
    assert [type(each) for each in answers] == [TokenStateUnavailable] * 2


def test_groups_that_race_for_the_same_things_have_each_once(opens: Opens) -> None:
    """Four threads show the same twenty things, five at a time, in their own order."""
    things = [replay_key() for _ in range(20)]
    controls = [opens() for _ in range(4)]
    gate = threading.Barrier(len(controls))
    done: list[int] = []

    def run(control: TokenState, turn: int) -> None:
        order = [(place * (2 * turn + 1)) % 20 for place in range(20)]
        gate.wait()
        for start in range(0, 20, 5):
            mine = order[start : start + 5]
            asked = [ExchangeCommit((things[each],)) for each in mine]
            for each, answer in zip(
                mine, control.commit_batch(asked, NOW), strict=True
            ):
                if answer == COMMITTED:
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
    control = SqliteTokenState(tmp_path, NOW, "boot")
    links = [delegation() for _ in range(5)]
    control.commit_batch([ExchangeCommit(opens=link) for link in links], NOW)
    again = SqliteTokenState(tmp_path, NOW, "boot")
    assert [again.find_delegation(link.id) for link in links] == links
    again.close()
    control.close()
