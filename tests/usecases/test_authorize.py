from dataclasses import replace

from answerable.authorization.decision_table import build_decision_table
from answerable.authorization.revocations import Revocations
from answerable.model.config import AllowRule
from answerable.model.decision import DecisionEffect, DecisionReason, EnforcementMode
from answerable.usecases.authorization.authorize import Authorizer
from tests.authorization.config_strategies import agent, config, request, server

RULE = AllowRule("agents.ana.allow[0]", "files", ("read",), (), (), ())
CONFIG = config(agent("ana", RULE), servers=(server("files"),))


def test_without_a_policy_nothing_is_let_through() -> None:
    decision = Authorizer().authorize(request())
    assert not decision.passes


def test_a_policy_that_is_swapped_holds_for_the_next_call() -> None:
    authority = Authorizer(build_decision_table(CONFIG))
    assert authority.authorize(request()).passes
    stricter = replace(CONFIG, agents=(agent("ana"),), digest="e" * 64)
    authority.replace_policy(build_decision_table(stricter))
    assert not authority.authorize(request()).passes
    assert authority.policy_digest == "e" * 64


def test_a_decision_that_fails_is_a_denial_of_its_own_kind() -> None:
    table = build_decision_table(replace(CONFIG, default_mode=EnforcementMode.OBSERVE))
    broken = replace(table, servers=None)  # type: ignore[arg-type]
    decision = Authorizer(broken).authorize(request())
    assert (decision.effect, decision.reason) == (
        DecisionEffect.ERROR,
        DecisionReason.EVALUATION,
    )
    assert not decision.passes


def test_a_kill_holds_at_once_and_tells_who_keeps_streams() -> None:
    authority = Authorizer(build_decision_table(CONFIG))
    told: list[Revocations] = []
    authority.add_revocation_listener(told.append)
    first = frozenset({"agent:declared/ana"})
    authority.update_revocations(first)
    assert authority.authorize(request()).reason is DecisionReason.KILLED
    authority.update_revocations(first | {"server:mail"})
    authority.update_revocations(frozenset())
    assert authority.authorize(request()).passes
    assert told == [first, frozenset({"server:mail"})]
