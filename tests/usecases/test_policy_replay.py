"""A replay decides as the policies do, and leaves what is in force alone."""

from answerable.authorization.decision_table import compile_table
from answerable.model.decision import Reason
from answerable.usecases.authorization.authorize import Authority
from answerable.usecases.authorization.policy_replay import Replay
from tests.authorization.config_strategies import request
from tests.authorization.test_policy_replay import ALLOWS, DENIES

ASKED = [request("read"), request("write"), request("read")]


def test_it_goes_some_calls_at_a_time_and_tells_what_it_had_no_time_for() -> None:
    authority = Authority(compile_table(ALLOWS))
    replay = Replay(authority, compile_table(DENIES), ASKED, left_out=1)
    assert replay.step(1)
    first = replay.outcome()
    assert (first.calls, first.left_out, first.held_back) == (1, 3, 1)
    assert not replay.step(9)
    whole = replay.outcome()
    assert (whole.calls, whole.left_out, whole.held_back) == (3, 1, 2)
    assert authority.authorize(request()).passes


def test_a_kill_that_stands_is_no_doing_of_a_policy() -> None:
    authority = Authority(compile_table(ALLOWS))
    authority.set_kills(frozenset({"agent:declared/ana"}))
    trial = authority.trial(compile_table(DENIES))
    assert trial.authorize(request()).reason is Reason.KILLED
    replay = Replay(authority, compile_table(DENIES), ASKED, left_out=0)
    replay.step(9)
    assert replay.outcome().held_back == 0
