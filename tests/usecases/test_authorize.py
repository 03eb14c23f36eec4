from dataclasses import replace

from answerable.authorization.decision_table import compile_table
from answerable.authorization.revocations import Kills
from answerable.model.config import Allow
from answerable.model.decision import Effect, Mode, Reason
from answerable.usecases.authorization.authorize import Authority
from tests.authorization.config_strategies import agent, config, request, server

RULE = Allow("agents.ana.allow[0]", "files", ("read",), (), (), ())
CONFIG = config(agent("ana", RULE), servers=(server("files"),))


def test_without_a_policy_nothing_is_let_through() -> None:
    decision = Authority().authorize(request())
    assert not decision.passes


def test_a_policy_that_is_swapped_holds_for_the_next_call() -> None:
    authority = Authority(compile_table(CONFIG))
    assert authority.authorize(request()).passes
    stricter = replace(CONFIG, agents=(agent("ana"),), digest="e" * 64)
    authority.swap(compile_table(stricter))
    assert not authority.authorize(request()).passes
    assert authority.policy == "e" * 64


def test_a_decision_that_fails_is_a_denial_of_its_own_kind() -> None:
    table = compile_table(replace(CONFIG, default_mode=Mode.OBSERVE))
    broken = replace(table, servers=None)  # type: ignore[arg-type]
    decision = Authority(broken).authorize(request())
    assert (decision.effect, decision.reason) == (Effect.ERROR, Reason.EVALUATION)
    assert not decision.passes


def test_a_kill_holds_at_once_and_tells_who_keeps_streams() -> None:
    authority = Authority(compile_table(CONFIG))
    told: list[Kills] = []
    authority.on_kill(told.append)
    first = frozenset({"agent:declared/ana"})
    authority.set_kills(first)
    assert authority.authorize(request()).reason is Reason.KILLED
    authority.set_kills(first | {"server:mail"})
    authority.set_kills(frozenset())
    assert authority.authorize(request()).passes
    assert told == [first, frozenset({"server:mail"})]
