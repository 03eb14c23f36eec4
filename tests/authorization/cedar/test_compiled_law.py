"""Tables, constraints and slices say what Cedar says of the whole set."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.authorization import decision as fast
from answerable.authorization.decision import PolicyOverrides
from answerable.authorization.decision_table import build_decision_table
from answerable.authorization.revocations import Revocations
from answerable.model.config import Config
from answerable.model.decision import AuthorizationRequest, DecisionEffect
from tests.authorization.cedar.policy_strategies import files, policies, read, requests
from tests.authorization.config_strategies import kills
from tests.reference.authorization import decision as spec

MANY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@MANY
@given(
    files(),
    kills(),
    st.lists(policies(), min_size=1, max_size=6),
    st.lists(requests(), min_size=4, max_size=8),
)
def test_what_is_compiled_decides_what_plain_cedar_decides(
    config: Config,
    kills: Revocations,
    texts: list[str],
    asked: list[AuthorizationRequest],
) -> None:
    rules = read(*texts).rules
    table = build_decision_table(config, rules)
    for request in [*asked, *asked]:
        decision = fast.decide(table, PolicyOverrides(kills), request)
        assert decision == spec.decide(config, kills, request, rules)


@MANY
@given(
    files(),
    st.lists(policies(), min_size=1, max_size=5),
    st.lists(requests(), min_size=4, max_size=8),
)
def test_a_list_shows_whatever_a_call_may_get(
    config: Config, texts: list[str], asked: list[AuthorizationRequest]
) -> None:
    table = build_decision_table(config, read(*texts).rules)
    for request in asked:
        decision = fast.decide(table, PolicyOverrides(), request)
        if decision.effect in (DecisionEffect.ALLOW, DecisionEffect.ASK):
            assert fast.decide(
                table, PolicyOverrides(), request, for_listing=True
            ).passes
