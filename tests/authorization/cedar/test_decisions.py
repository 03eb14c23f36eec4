"""What policies make of a call: errors, forbids, asks, permits, the agents above."""

import gc
import weakref

import msgspec
import pytest

from answerable.authorization.cedar.cedar_request import (
    EntityUid,
    UnreadableArguments,
    parse_arguments,
)
from answerable.authorization.decision import EMPTY_STATE, PolicyOverrides, decide
from answerable.authorization.decision_table import DecisionTable, build_decision_table
from answerable.model.config import AllowRule, Config
from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    EnforcementMode,
    RecordDurability,
    TargetKind,
)
from answerable.model.ids import AgentId
from answerable.model.json_value_count import MAX_ARGUMENT_VALUES
from answerable.usecases.authorization.authorize import Authorizer
from tests.authorization.cedar.policy_strategies import AGENTS, call, rules_of
from tests.authorization.config_strategies import agent, config, server
from tests.reference.authorization import decision as spec

ANA, BEN, CAM = AGENTS
CALL = 'principal, action == Action::"tools/call", resource'
PERMIT = f"permit ({CALL});"


def the_file(
    *, mode: EnforcementMode = EnforcementMode.ENFORCE, allow: bool = False
) -> Config:
    rules = [AllowRule("agents.ana.allow[0]", "files", ("*",), (), (), ())] * allow
    return config(
        *(agent(name, *rules, mode=mode) for name in ("ana", "ben", "cam")),
        servers=(server("files", reads=("read",)), server("mail")),
    )


def table(
    *texts: str, mode: EnforcementMode = EnforcementMode.ENFORCE, allow: bool = False
) -> DecisionTable:
    return build_decision_table(the_file(mode=mode, allow=allow), rules_of(*texts))


def said(decision: Decision) -> tuple[DecisionEffect, DecisionReason, DecisionLayer]:
    return decision.effect, decision.reason, decision.layer


def decided(
    request: AuthorizationRequest, *texts: str, allow: bool = False
) -> Decision:
    """Decide both ways."""
    found = decide(table(*texts, allow=allow), EMPTY_STATE, request)
    rules = rules_of(*texts)
    assert found == spec.decide(the_file(allow=allow), frozenset(), request, rules)
    return found


# A forbid that has no answer.

ERRING = {
    "a missing argument": ("context.arguments.amount > 100", {}),
    "an argument of the wrong type": (
        *("context.arguments.amount > 100", {"amount": "150"}),
    ),
    "a fraction": (
        "context.arguments has amount && context.arguments.amount > 100",
        {"amount": 150.5},
    ),
    "a number beyond 64 bits": (
        "context.arguments has amount && context.arguments.amount > 100",
        {"amount": 2**64},
    ),
    "a missing record": ('context.arguments.opts.kind == "bad"', {}),
    "a record that is none": ('context.arguments.opts.kind == "bad"', {"opts": 3}),
    "a set that is none": ('context.arguments.to.contains("bad")', {"to": "bad"}),
    "a missing argument that Cedar is asked about": (
        *("context.arguments.amount + 1 > 100", {}),
    ),
    "one of the wrong type that Cedar is asked about": (
        *("context.arguments.amount + 1 > 100", {"amount": "150"}),
    ),
    "arithmetic that overflows": (
        *("context.arguments.amount + 1 > 100", {"amount": 2**63 - 1}),
    ),
}


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize(("condition", "arguments"), ERRING.values(), ids=ERRING)
def test_a_forbid_that_errs_never_turns_into_an_allow(
    condition: str, arguments: dict[str, object], *, allow: bool
) -> None:
    forbid = f'@id("f") forbid ({CALL}) when {{ {condition} }};'
    texts = (forbid,) if allow else (PERMIT, forbid)
    decision = decided(call(arguments=arguments), *texts, allow=allow)
    assert (decision.effect, decision.reason) == (
        DecisionEffect.ERROR,
        DecisionReason.EVALUATION,
    )
    assert not decision.passes
    assert decision.determining == (f"{0 if allow else 1}.cedar:f",)


@pytest.mark.parametrize(
    "raw", [b'{"amount":1,"amount":500}', b'{"amount":1,"a\\u006dount":500}', b"[1]"]
)
def test_arguments_that_read_in_two_ways_are_none_that_a_policy_can_judge(
    raw: bytes,
) -> None:
    forbid = f"forbid ({CALL}) when {{ context.arguments.amount > 100 }};"
    assert decided(call(raw=raw), PERMIT, forbid).effect is DecisionEffect.ERROR


def test_an_entity_that_is_not_there_makes_no_allow_of_a_forbid() -> None:
    forbid = f'forbid ({CALL}) when {{ context.identity == Identity::"sts ana" }};'
    guarded = forbid.replace("{ ", "{ context has identity && ")
    assert decided(call(), PERMIT, guarded).effect is DecisionEffect.ALLOW
    by = call(identity="sts ana")
    assert decided(by, PERMIT, guarded).reason is DecisionReason.FORBIDDEN


def test_what_only_looks_like_an_entity_is_a_record() -> None:
    forbid = f'forbid ({CALL}) when {{ context.arguments.opts.kind == "bad" }};'
    given = {"opts": {"__entity": {"type": "Agent", "id": "x"}, "kind": "bad"}}
    for condition in ("", ' && context.arguments.opts.kind like "b*"'):
        text = forbid.replace(" }", f"{condition} }}")
        decision = decided(call(arguments=given), PERMIT, text)
        assert decision.reason is DecisionReason.FORBIDDEN


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100.0", 100),
        ("1e2", 100),
        ("-0.0", 0),
        ("1.5", EntityUid("Other", "1.5")),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", EntityUid("Other", "9223372036854775808")),
        ('"\\ud800"', EntityUid("Other", "'\\ud800'")),
        ("[1, null, 2.5]", [1, EntityUid("Other", "null"), EntityUid("Other", "2.5")]),
        ('{"a": null, "b": {"c": 1.0}}', {"b": {"c": 1}}),
        ("true", True),
    ],
)
def test_an_argument_is_read_as_its_server_would(text: str, value: object) -> None:
    found = parse_arguments(b'{"x": %s}' % text.encode())["x"]
    assert found == value
    assert type(found) is type(value) or isinstance(found, dict)


@pytest.mark.parametrize(
    "raw", [b"{", b"3", b'{"a":NaN}', b"\xff{}", b'{"a":{"b":1,"b":1}}', b"[" * 9999]
)
def test_arguments_that_cannot_be_read_in_one_way_are_not_read(raw: bytes) -> None:
    with pytest.raises(UnreadableArguments):
        parse_arguments(raw)


@pytest.mark.parametrize(
    "text", ['"k%d": 1', '"k%d": {"a": "[,{"}', r'"k%d": "\\\","', '"k%d": [[["x"]]]']
)
def test_arguments_of_too_many_values_are_not_read(text: str) -> None:
    values = 4 if "[[[" in text else 2 if ": {" in text else 1
    most = (MAX_ARGUMENT_VALUES - 1) // values
    members = [text % number for number in range(most + 1)]
    assert len(parse_arguments(f"{{{','.join(members[:-1])}}}".encode())) == most
    with pytest.raises(UnreadableArguments, match="10000 values"):
        parse_arguments(f"{{{','.join(members)}}}".encode())


# What comes before what.


def test_a_forbid_comes_before_an_ask_and_that_before_a_permit() -> None:
    forbid = f'@id("f") forbid ({CALL}) when {{ context.arguments.n == 1 }};'
    ask = f'@ask @id("a") forbid ({CALL}) when {{ context.arguments.n <= 2 }};'
    texts = (f"{PERMIT}\n{ask}\n{forbid}",)
    one, two, three = (decided(call(arguments={"n": n}), *texts) for n in (1, 2, 3))
    assert said(one) == (
        DecisionEffect.DENY,
        DecisionReason.FORBIDDEN,
        DecisionLayer.CONSTRAINT,
    )
    assert one.determining == ("0.cedar:f",)
    assert said(two) == (
        DecisionEffect.ASK,
        DecisionReason.ASKED,
        DecisionLayer.CONSTRAINT,
    )
    assert two.determining == ("0.cedar:a",)
    assert said(three) == (
        DecisionEffect.ALLOW,
        DecisionReason.ALLOWED,
        DecisionLayer.TABLE,
    )
    assert not two.passes


def test_a_permit_adds_to_the_rules_of_the_file_and_both_are_named() -> None:
    permit = f'@id("p") permit ({CALL}) when {{ context.arguments.n + 1 == 2 }};'
    both = decided(call(arguments={"n": 1}), permit, allow=True)
    assert both.determining == ("agents.ana.allow[0]", "0.cedar:p")
    assert both.layer is DecisionLayer.CEDAR
    rule = decided(call(arguments={"n": 2}), permit, allow=True)
    assert rule.determining == ("agents.ana.allow[0]",)
    policy = decided(call(server="mail", arguments={"n": 1}), permit, allow=True)
    assert policy.determining == ("0.cedar:p",)
    assert policy.durability is RecordDurability.DURABLE


def test_who_may_do_anything_at_a_server_may_connect_to_it() -> None:
    only = f'permit ({CALL} == Tool::"tool:mcp/files/read");'
    asked = replace_target(call(), TargetKind.SESSION, "initialize")
    assert decided(asked, only).determining == ("0.cedar:policy0",)
    elsewhere = replace_target(call(server="mail"), TargetKind.SESSION, "initialize")
    assert decided(elsewhere, only).reason is DecisionReason.NO_RULE
    nobody = 'forbid (principal, action, resource in Server::"server:files");'
    assert decided(asked, only, nobody).reason is DecisionReason.FORBIDDEN


def replace_target(
    request: AuthorizationRequest, target: TargetKind, action: str
) -> AuthorizationRequest:
    return AuthorizationRequest(
        *(request.agent, request.known, request.server, action, target, ""),
        *(request.run, request.principal),
    )


def test_a_stranger_gets_nothing_by_a_permit_for_anybody() -> None:
    stranger = AgentId("agent:caller/corp/x")
    unknown = decided(call(agent=stranger, known=False), PERMIT)
    assert said(unknown) == (
        DecisionEffect.DENY,
        DecisionReason.UNKNOWN_AGENT,
        DecisionLayer.TABLE,
    )
    assert decided(call(agent=stranger), PERMIT).effect is DecisionEffect.ALLOW


@pytest.mark.parametrize("mode", [EnforcementMode.OBSERVE, EnforcementMode.SHADOW])
def test_a_mode_that_holds_nothing_back_holds_no_policy_back(
    mode: EnforcementMode,
) -> None:
    forbid = f"forbid ({CALL}) when {{ context.arguments.n > 1 }};"
    found = table(PERMIT, forbid, mode=mode)
    for arguments, effect in (
        ({"n": 2}, DecisionEffect.DENY),
        ({}, DecisionEffect.ERROR),
    ):
        decision = decide(found, EMPTY_STATE, call(arguments=arguments))
        assert (decision.effect, decision.passes) == (effect, True)


def test_a_decision_names_the_file_and_all_policies_by_one_digest() -> None:
    one, other = table(PERMIT), table(PERMIT, PERMIT)
    assert len({one.policy, other.policy, the_file().digest}) == 3
    assert decide(one, EMPTY_STATE, call()).policy == one.policy


def test_where_cedar_has_no_answer_at_all_every_policy_errs() -> None:
    asks = f'@id("p") permit ({CALL}) when {{ context.arguments.n + 1 == 2 }};'
    deep = b'{"n":' + b"[" * 400 + b"]" * 400 + b"}"
    decision = decide(table(asks), EMPTY_STATE, call(raw=deep))
    assert (decision.effect, decision.determining) == (
        DecisionEffect.ERROR,
        ("0.cedar:p",),
    )


def test_a_slice_that_cannot_be_made_is_an_error_and_no_allow() -> None:
    found = table(PERMIT, f"forbid ({CALL}) when {{ context.arguments.n > 1 }};")
    broken = tuple(replace_text(rule) for rule in found.slices.rules)
    found.slices.rules = broken
    decision = Authorizer(found).authorize(call(arguments={"n": 1}))
    assert said(decision)[:2] == (DecisionEffect.ERROR, DecisionReason.EVALUATION)


def replace_text(rule: object) -> object:
    conditions = rule.conditions and b"[]x"  # type: ignore[attr-defined]
    return msgspec.structs.replace(rule, conditions=conditions)  # type: ignore[type-var]


# The agents above.


def test_what_an_agent_above_may_not_do_the_one_below_may_not_either() -> None:
    for_ana = f"permit ({CALL.replace('principal', f'principal == Agent::{q(ANA)}')});"
    assert decided(call(), for_ana).effect is DecisionEffect.ALLOW
    under = decided(call(chain=(BEN,)), for_ana)
    assert said(under) == (
        DecisionEffect.DENY,
        DecisionReason.PARENT,
        DecisionLayer.CHAIN,
    )
    assert under.determining == (BEN,)
    for_both = for_ana.replace(ANA, BEN)
    assert decided(call(chain=(BEN,)), for_ana, for_both).effect is DecisionEffect.ALLOW
    assert decided(call(chain=(CAM, BEN)), for_ana, for_both).determining == (CAM,)


def q(text: str) -> str:
    return f'"{text}"'


def test_a_policy_that_errs_for_an_agent_above_is_an_error_below() -> None:
    forbid = (
        f'@id("f") forbid (principal == Agent::{q(BEN)}, '
        'action == Action::"tools/call", resource) '
        "when { context.arguments.n > 1 };"
    )
    decision = decided(call(chain=(BEN,)), PERMIT, forbid)
    assert said(decision) == (
        DecisionEffect.ERROR,
        DecisionReason.EVALUATION,
        DecisionLayer.CHAIN,
    )
    assert decision.determining == (BEN, "1.cedar:f")


def test_a_kill_of_an_agent_stops_the_agents_below_it() -> None:
    found = table(PERMIT)
    stands = PolicyOverrides(revocations=frozenset({str(BEN)}))
    decision = decide(found, stands, call(chain=(BEN,)))
    assert (decision.reason, decision.determining) == (DecisionReason.KILLED, (BEN,))
    assert not decide(found, stands, call(agent=BEN)).passes
    assert decide(found, stands, call()).passes


# Lists.


def test_a_list_shows_what_depends_on_arguments_and_what_an_owner_is_asked() -> None:
    some = f"permit ({CALL} == Tool::{q('tool:mcp/files/read')}) "
    found = table(some + "when { context.arguments.n < 5 };")
    authority = Authorizer(found)
    assert not authority.authorize(call()).passes
    assert authority.decide_listing(call()).passes
    assert not authority.decide_listing(call("write")).passes
    asked = Authorizer(table(PERMIT, f"@ask forbid ({CALL});"))
    assert asked.decide_listing(call()).passes
    assert not asked.authorize(call()).passes
    never = Authorizer(table(PERMIT, f"forbid ({CALL});"))
    assert not never.decide_listing(call()).passes


def test_names_without_end_are_forgotten_and_decided_all_the_same() -> None:
    from answerable.authorization.cedar import policy_slices

    found = table(PERMIT)
    for number in range(2 * policy_slices.CACHE_SIZE + 10):
        decide(found, EMPTY_STATE, call(f"t{number}"))
    kept = len(found.slices._lately) + len(found.slices._before)
    assert kept <= 2 * policy_slices.CACHE_SIZE
    assert decide(found, EMPTY_STATE, call("t" * 10_000)).passes
    assert max(len(key[-1]) for key in found.slices._lately) < 1000
    assert decide(found, EMPTY_STATE, call("t0")).passes


def test_what_may_be_done_with_one_thing_depends_on_the_method() -> None:
    reads = (
        'permit (principal, action == Action::"resources/read", resource == '
        'Resource::"resource:mcp/files/file:///a");'
    )
    found = table(reads)
    for action, passes in (
        *(("resources/read", True), ("resources/subscribe", False)),
        *(("resources/read", True), ("resources/subscribe", False)),
    ):
        asked = msgspec.structs.replace(
            call("file:///a"), action=action, target=TargetKind.RESOURCE
        )
        assert decide(found, EMPTY_STATE, asked).passes is passes, action


def test_a_set_that_is_no_more_in_force_is_gone_at_once() -> None:
    texts = (PERMIT, f"forbid ({CALL}) when {{ context.arguments.n + 1 > 100 }};")
    before = table(*texts)
    assert decide(before, EMPTY_STATE, call(arguments={"n": 1})).passes
    after = build_decision_table(the_file(), rules_of(*texts), before)
    was = weakref.ref(before.slices)
    gc.disable()
    try:
        del before
        assert was() is None
    finally:
        gc.enable()
    assert decide(after, EMPTY_STATE, call(arguments={"n": 1})).passes
