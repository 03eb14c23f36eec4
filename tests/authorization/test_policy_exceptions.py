"""Amendments: each lets one act pass, and lifts nothing that is not its signers' to."""

import hashlib
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.authorization.decision import PolicyOverrides, decide
from answerable.authorization.decision_table import build_decision_table
from answerable.authorization.exception_validity import drop_expired, index_exceptions
from answerable.authorization.policy_exceptions import (
    BREAK_GLASS_LIFTABLE,
    OWNER_LIFTABLE,
)
from answerable.authorization.revocations import Revocations
from answerable.model.config import Config
from answerable.model.decision import (
    AuthorizationRequest,
    DecisionEffect,
    DecisionReason,
    TargetKind,
)
from answerable.model.ids import build_agent_id
from answerable.model.policy_exception import PolicyException, PolicyExceptionKind
from tests.authorization.config_strategies import (
    AGENTS,
    NAMES,
    SERVERS,
    configs,
    kills,
    requests,
)

ARGUMENTS = (b"", b"{}", b'{"a":1}')
_DIGESTS = ("", *(hashlib.sha256(each).hexdigest() for each in ARGUMENTS))


def amendments() -> st.SearchStrategy[list[PolicyException]]:
    """Any amendments over the names of the configurations."""
    one = st.builds(
        PolicyException,
        id=st.sampled_from(("a" * 64, "b" * 64)),
        kind=st.sampled_from(PolicyExceptionKind),
        agent=st.sampled_from([build_agent_id("declared", name) for name in AGENTS]),
        server=st.sampled_from((*SERVERS, "none")),
        target=st.sampled_from((TargetKind.TOOL, TargetKind.RESOURCE)),
        name=st.sampled_from(NAMES),
        arguments=st.sampled_from(_DIGESTS),
        until=st.sampled_from((0, 100)),
        persons=st.just(("person:ana",)),
    )
    return st.lists(one, max_size=4)


def fits(amendment: PolicyException, request: AuthorizationRequest) -> bool:
    act = (amendment.agent, amendment.server, amendment.target, amendment.name)
    wanted = (request.agent, request.server, request.target, request.name)
    digest = hashlib.sha256(request.arguments).hexdigest()
    return act == wanted and amendment.arguments in ("", digest)


@settings(max_examples=50, deadline=None)
@given(configs(), kills(), requests(), st.sampled_from(ARGUMENTS), amendments())
def test_an_amendment_changes_the_decision_on_its_act_alone(
    config: Config,
    kills: Revocations,
    request: AuthorizationRequest,
    arguments: bytes,
    signed: list[PolicyException],
) -> None:
    request = AuthorizationRequest(
        *(getattr(request, name) for name in request.__struct_fields__[:-1]), arguments
    )
    table = build_decision_table(config)
    before = decide(table, PolicyOverrides(kills), request)
    held = PolicyOverrides(kills, exceptions=index_exceptions(signed))
    after = decide(table, held, request)
    lifting = [
        each
        for each in signed
        if fits(each, request)
        and before.reason
        in (
            BREAK_GLASS_LIFTABLE
            if each.kind is PolicyExceptionKind.BREAK_GLASS
            else OWNER_LIFTABLE
        )
    ]
    if before.effect is DecisionEffect.ALLOW or not lifting:
        assert after == before
        return
    assert (after.effect, after.passes) == (DecisionEffect.ALLOW, True)
    assert after.reason in (DecisionReason.GRANTED, DecisionReason.BREAK_GLASS)
    assert after.determining[0] in {f"amendment:{each.id}" for each in lifting}
    assert after.mode is before.mode


@given(amendments(), st.integers(0, 200))
def test_what_has_ended_is_left_out_and_nothing_else(
    signed: list[PolicyException], now: int
) -> None:
    kept = drop_expired(signed, now)
    assert [each for each in signed if each.until == 0 or now < each.until] == [*kept]
    assert drop_expired([replace(each, until=0) for each in signed], now) == tuple(
        replace(each, until=0) for each in signed
    )
