"""Security test 7: one `jti` a hundred times at once, and across `kill -9`.

Over two processes it succeeds once. Where one of them is killed it succeeds never twice,
and once unless the killed one had used it up.
"""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.delegation import Delegation
from answerable.store.token_state.interface import COMMITTED, ExchangeCommit, TokenState
from tests.store.token_state.conftest import Opens
from tests.store.token_state.sample_rows import (
    NOW,
    REPORTER,
    delegation,
    open_chain,
    open_delegation,
    parent_of,
    token,
)

AT_ONCE = 50  # in each of two processes
NUMBERS = int(os.environ.get("RACE_NUMBERS", "20"))
ROUNDS = int(os.environ.get("RACE_ROUNDS", "10"))
KILLS = int(os.environ.get("RACE_KILLS", "6"))

Replica = subprocess.Popen[str]
Starts = Callable[[int, int, int], Replica]


@pytest.fixture
def starts(opens: Opens, request: pytest.FixtureRequest, tmp_path: Path) -> Starts:
    """Starts a replica beside what `opens` gives, and waits until it is ready."""
    is_sqlite = request.node.callspec.params["opens"] == "sqlite"
    address = "-" if is_sqlite else request.getfixturevalue("server")
    root = request.config.rootpath

    def start(first: int, last: int, at_once: int) -> Replica:
        program = [sys.executable, "-m", "tests.store.token_state.replica"]
        program += [str(tmp_path / "sts"), address]
        replica = subprocess.Popen(
            [*program, str(first), str(last), str(at_once)],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert replica.stdout is not None
        assert replica.stdout.readline() == "ready\n"
        return replica

    return start


def go(replica: Replica) -> None:
    assert replica.stdin is not None
    replica.stdin.write("go\n")
    replica.stdin.flush()


def read_results(replica: Replica) -> tuple[Counter[int], Counter[int]]:
    """What a replica tried, and where it succeeded, by number."""
    text, _ = replica.communicate(timeout=120)
    words = [line.split() for line in text.splitlines()]
    tried = Counter(int(word[1]) for word in words if word[0] == "try")
    done = Counter(int(word[1]) for word in words if word[0] == "done")
    return tried, done


def test_one_token_a_hundred_times_at_once_succeeds_once(
    starts: Starts, control: TokenState, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(NUMBERS):
        open_delegation(control, id=parent_of(number))
    replicas = [starts(0, NUMBERS, AT_ONCE) for _ in range(2)]
    for replica in replicas:
        go(replica)
    tried, done = Counter[int](), Counter[int]()
    for replica in replicas:
        some_tried, some_done = read_results(replica)
        tried += some_tried
        done += some_done
        assert replica.returncode == 0
    assert tried == Counter(dict.fromkeys(range(NUMBERS), 2 * AT_ONCE))
    assert done == Counter(dict.fromkeys(range(NUMBERS), 1))
    found = [
        len(control.list_child_delegations(parent_of(number)))
        for number in range(NUMBERS)
    ]
    assert found == [1] * NUMBERS
    with capsys.disabled():
        print(f"\n{tried.total()} tries of {NUMBERS} tokens: {done.total()} successes")


def test_a_killed_process_never_makes_a_second_success(
    starts: Starts, control: TokenState, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(7)  # noqa: S311 - when to kill, no secret
    used_up = numbers = tries = 0
    for kill in range(KILLS):
        # Each number of a span is shown by both, twice at once each.
        first, last = kill * 1000, kill * 1000 + 400
        for number in range(first, last):
            open_delegation(control, id=parent_of(number))
        killed, other = starts(first, last, 2), starts(first, last, 2)
        go(killed)
        go(other)
        time.sleep(chance.uniform(0.0, 0.15))
        killed.kill()
        (tried, done), (other_tried, other_done) = (
            read_results(killed),
            read_results(other),
        )
        assert other.returncode == 0
        assert set(other_tried) == set(range(first, last))
        for number in range(first, last):
            successes = done[number] + other_done[number]
            assert successes <= 1
            # Whatever anybody could say of it, it happened once.
            assert len(control.list_child_delegations(parent_of(number))) == 1
            if not successes:
                # It had asked, and was killed before it could say so.
                assert tried[number]
                used_up += 1
        numbers += last - first
        tries += tried.total() + other_tried.total()
    assert used_up <= 2 * KILLS
    with capsys.disabled():
        print(
            f"\n{tries} tries of {numbers} tokens across {KILLS} kills: "
            f"none succeeded twice, {used_up} used up by the killed process"
        )


def test_nothing_is_opened_below_what_a_revocation_ended(
    opens: Opens, capsys: pytest.CaptureFixture[str]
) -> None:
    """Children and grandchildren are opened while their root is revoked."""
    children = revoked = 0
    for _ in range(ROUNDS):
        ends, works = opens(), [opens(), opens()]
        root = open_delegation(ends)
        below = [root, open_delegation(ends, root)]
        gate = threading.Barrier(3)
        made: list[Delegation] = []

        def work(
            control: TokenState,
            gate: threading.Barrier = gate,
            below: list[Delegation] = below,
            made: list[Delegation] = made,
        ) -> None:
            gate.wait()
            dead = 0
            while dead < len(below):
                dead = 0
                for parent in below:
                    child = delegation(parent)
                    asked = ExchangeCommit(
                        under=parent.id, opens=child, token=token(child)
                    )
                    if control.commit(asked, NOW) is COMMITTED:
                        made.append(child)
                    else:
                        dead += 1

        threads = [threading.Thread(target=work, args=(each,)) for each in works]
        for thread in threads:
            thread.start()
        gate.wait()
        while len(made) < 5:
            time.sleep(0.001)
        died = ends.revoke_delegation(root.id, NOW)
        for thread in threads:
            thread.join()
        assert set(died.delegations) == {each.id for each in [*below, *made]}
        assert len(died.tokens) == len(died.delegations)
        assert not any(
            ends.find_delegation_chain(each.id, NOW).is_active for each in made
        )
        children += len(made)
        revoked += 1
        for each in (ends, *works):
            each.close()
    with capsys.disabled():
        print(f"\n{revoked} revocations while {children} were opened: none escaped")


def test_revocations_that_meet_in_one_tree_both_return(opens: Opens) -> None:
    first, second = opens(), opens()
    for _ in range(ROUNDS):
        links = open_chain(first, 3)
        widened = [open_delegation(first, links[1]) for _ in range(5)]
        gate = threading.Barrier(2)
        died: list[str] = []

        def end(
            control: TokenState,
            subject: str,
            gate: threading.Barrier = gate,
            died: list[str] = died,
        ) -> None:
            gate.wait()
            died.extend(control.revoke_subject(subject, NOW).delegations)

        threads = [
            threading.Thread(target=end, args=(first, REPORTER)),
            threading.Thread(target=end, args=(second, f"run:{links[0].id}")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(died) == sorted(each.id for each in [*links, *widened])
