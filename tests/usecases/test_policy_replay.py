"""A replay decides as the policies do, and leaves what is in force alone."""

from answerable.authorization.decision_table import build_decision_table
from answerable.model.decision import DecisionReason
from answerable.usecases.authorization.authorize import Authorizer
from answerable.usecases.authorization.policy_replay import PolicyReplay
from tests.authorization.config_strategies import request
from tests.authorization.test_policy_replay import ALLOWS, DENIES

ASKED = [request("read"), request("write"), request("read")]


def test_it_goes_some_calls_at_a_time_and_tells_what_it_had_no_time_for() -> None:
    authority = Authorizer(build_decision_table(ALLOWS))
    trial = authority.with_policy(build_decision_table(DENIES))
    replay = PolicyReplay(authority.authorize, trial.authorize, ASKED, dropped_count=1)
    assert replay.replay_next_requests(1)
    first = replay.outcome()
    assert (first.calls, first.left_out, first.held_back) == (1, 3, 1)
    assert not replay.replay_next_requests(9)
    whole = replay.outcome()
    assert (whole.calls, whole.left_out, whole.held_back) == (3, 1, 2)
    assert authority.authorize(request()).passes


def test_a_kill_that_stands_is_no_doing_of_a_policy() -> None:
    authority = Authorizer(build_decision_table(ALLOWS))
    authority.update_revocations(frozenset({"agent:declared/ana"}))
    trial = authority.with_policy(build_decision_table(DENIES))
    assert trial.authorize(request()).reason is DecisionReason.KILLED
    replay = PolicyReplay(authority.authorize, trial.authorize, ASKED, dropped_count=0)
    replay.replay_next_requests(9)
    assert replay.outcome().held_back == 0
