"""Hypothesis strategies for cases: an organisation, resources and questions."""

from dataclasses import dataclass

from hypothesis import strategies as st

from answerable.model.policy import Policy, PolicyEffect, Statement
from answerable.model.sighting import SightedFacts
from tests.reach.account_builder import A, AccountBuilder, stated_policy
from tests.reach.draw_helpers import distinct, pick, some
from tests.reach.strategies_conditions import Keys, given_keys
from tests.reach.strategies_mix import EVEN, Mix, draw_share
from tests.reach.strategies_organisation import (
    FULL,
    ROLES,
    SUBJECTS,
    TRUST_ACTIONS,
    USERS,
    SpellingPool,
    build_pool,
    organisations,
    permissions,
)
from tests.reach.strategies_resources import (
    OUTSIDER,
    PLAIN,
    SERVICE,
    WELCOME,
    WILD,
    C,
    open_to,
    own_statements,
    some_tags,
    things,
)

GROUP = f"arn:aws:iam::{A}:group/team"
ANYBODY = [
    "*",
    SERVICE,
    OUTSIDER,
    f"arn:aws:iam::{C}:root",
    "s3.amazonaws.com",
    f"arn:aws:iam::{C}:user/stranger",
    f"arn:aws:sts::{C}:assumed-role/outsider/session",
]
Call = tuple[str, str]


@dataclass(frozen=True)
class ReachCase:
    """Facts, what the question states, who asks, and for what.

    Attributes:
        facts: Of one organisation.
        given: Stated condition keys.
        session: A session policy, or None.
        endpoint: A VPC endpoint policy, or None.
        tags_collected: Whether the tags of resources were read.
        outsiders: Callers besides the identities: `*`, a service, a stranger.
        calls: Pairs (action, resource).
    """

    facts: SightedFacts
    given: Keys
    session: Policy | None
    endpoint: Policy | None
    tags_collected: bool
    outsiders: tuple[str, ...]
    calls: tuple[Call, ...]


_tenth, _twentieth = st.integers(0, 9), st.integers(0, 19)
_nobody: tuple[str, ...] = ()
_OUTSIDERS = [tuple(ANYBODY[:2]), tuple(ANYBODY[2:4]), tuple(ANYBODY[4:])]
EVERYBODY = Statement(
    "all", PolicyEffect.ALLOW, ("*",), (), ("*",), (), (("AWS", "*"),), (), ()
)


def _some(draw: st.DrawFn, pool: SpellingPool, mix: Mix) -> list[Statement]:
    return some(draw, 1, 2, lambda: draw(permissions(pool, mix)))


@dataclass(frozen=True)
class SharedStatements:
    """What every identity says, and the one of which more was not read."""

    said: tuple[Statement, ...]
    lost: str


def principals(
    draw: st.DrawFn,
    build: AccountBuilder,
    arn: str,
    pool: SpellingPool,
    mix: Mix,
    alike: SharedStatements | None,
) -> None:
    """An identity with its policies; a role with its trust."""
    named_only = draw(_twentieth) == 19
    tags = WILD if mix.variables else draw(some_tags)
    build.identity(arn, tags, named_only=named_only)
    if named_only:
        return
    if not arn.endswith(":root"):
        if alike:
            unread = ["lost"] if arn == alike.lost else []
            build.policy(arn, "identity", *alike.said, unread=unread)
        else:
            unread = ["lost"] if draw(_twentieth) == 19 else []
            said = _some(draw, pool, mix) + ([FULL] if draw_share(draw, 5) else [])
            build.policy(arn, "identity", *said, unread=unread)
        if draw_share(draw, mix.boundary):
            bounds = _some(draw, pool, mix) if draw_share(draw, 8) else []
            bounds += [FULL] if draw_share(draw, 7) else []
            build.policy(arn, "boundary", *bounds, collected=draw(_twentieth) > 0)
    if arn == USERS[0] and draw_share(draw, 3):
        said = _some(draw, pool, mix)
        build.policy(arn, "identity", *said, policy=f"{GROUP}#inline/g", via=GROUP)
    if arn in ROLES and draw_share(draw, 9):
        said = some(draw, 0, 2, lambda: draw(own_statements(TRUST_ACTIONS, (), mix)))
        said += [open_to(pick(draw, WELCOME), ())] if draw_share(draw, 5) else []
        build.policy(arn, "trust", *said, collected=draw(_twentieth) > 0)


def sessions(draw: st.DrawFn, pool: SpellingPool, mix: Mix) -> Policy | None:
    """A session policy, if there is one."""
    if not draw_share(draw, mix.session):
        return None
    unread = ["lost"] if draw_share(draw, 1) else []
    return stated_policy("session", *_some(draw, pool, mix), unread=unread)


def endpoints(draw: st.DrawFn, calls: list[Call], mix: Mix) -> Policy | None:
    """An endpoint policy, if there is one."""
    if not draw_share(draw, mix.endpoint):
        return None
    unread = ["lost"] if draw_share(draw, 1) else []
    actions = [action for action, _ in calls]
    said = [draw(own_statements(actions, ("*", *(r for _, r in calls)), mix))]
    said += [EVERYBODY] if draw_share(draw, 4) else []
    return stated_policy("endpoint", *said, unread=unread)


@st.composite
def cases(draw: st.DrawFn, mix: Mix = EVEN) -> ReachCase:
    """Two identities, a thing with a policy of its own, and a few calls."""
    build = AccountBuilder()
    among = mix.subjects or SUBJECTS
    subjects = distinct(draw, 1, 2, among)
    calls = things(draw, build, mix)
    roles = [("sts:AssumeRole", arn) for arn in subjects if arn in ROLES]
    chosen = distinct(draw, 0, 2, calls)
    if roles and draw_share(draw, mix.assume):
        chosen += roles
    elif not chosen or draw_share(draw, mix.plain):
        chosen.append(pick(draw, PLAIN))
    pool = build_pool(chosen)
    organisations(draw, build, pool, mix)
    alike = None
    if draw_share(draw, mix.alike):
        alike = SharedStatements(tuple(_some(draw, pool, mix)), pick(draw, subjects))
    for arn in subjects:
        principals(draw, build, arn, pool, mix, alike)
    return ReachCase(
        facts=build.facts(),
        given=draw(given_keys),
        session=sessions(draw, pool, mix),
        endpoint=endpoints(draw, chosen, mix),
        tags_collected=draw(st.booleans()),
        outsiders=pick(draw, _OUTSIDERS) if draw_share(draw, mix.outside) else _nobody,
        calls=tuple(chosen),
    )
