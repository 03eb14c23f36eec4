"""Whole cases: an organisation, things in it, and questions about them."""

from dataclasses import dataclass

from hypothesis import strategies as st

from answerable.model.policy import Policy
from answerable.model.sighting import Facts
from tests.reach.build import A, Builder, given_policy
from tests.reach.strategies_conditions import Keys, given_keys
from tests.reach.strategies_organisation import (
    FULL,
    ROLES,
    SUBJECTS,
    TRUST_ACTIONS,
    USERS,
    allowing,
    organisations,
)
from tests.reach.strategies_resources import (
    OUTSIDER,
    PLAIN,
    SERVICE,
    C,
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
class Case:
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

    facts: Facts
    given: Keys
    session: Policy | None
    endpoint: Policy | None
    tags_collected: bool
    outsiders: tuple[str, ...]
    calls: tuple[Call, ...]


_tenth, _twentieth = st.integers(0, 9), st.integers(0, 19)
_subjects = st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=2, unique=True)
_allowing_lists = st.lists(allowing, min_size=1, max_size=2)
_trust_lists = st.lists(own_statements(TRUST_ACTIONS, ()), max_size=2)
_endpoint = own_statements(("s3:GetObject", "kms:Decrypt", "*"), ("*",))


@st.composite
def principals(draw: st.DrawFn, build: Builder, arn: str) -> None:
    """An identity with its policies; a role with its trust."""
    named_only = draw(_twentieth) == 19
    build.identity(arn, draw(some_tags), named_only=named_only)
    if named_only:
        return
    if not arn.endswith(":root"):
        unread = ["lost"] if draw(_twentieth) == 19 else []
        said = draw(_allowing_lists)
        if draw(_tenth) < 6:
            said.append(FULL)
        build.policy(arn, "identity", *said, unread=unread)
        if draw(_tenth) > 6:
            bounds = draw(_allowing_lists) if draw(_tenth) > 1 else []
            if draw(_tenth) < 6:
                bounds.append(FULL)
            build.policy(arn, "boundary", *bounds, collected=draw(_twentieth) > 0)
    if arn == USERS[0] and draw(_tenth) == 9:
        said = draw(_allowing_lists)
        build.policy(arn, "identity", *said, policy=f"{GROUP}#inline/g", via=GROUP)
    if arn in ROLES and draw(_tenth) > 0:
        build.policy(arn, "trust", *draw(_trust_lists), collected=draw(_twentieth) > 0)


@st.composite
def sessions(draw: st.DrawFn) -> Policy | None:
    """A session policy, for one question in five."""
    if draw(_tenth) < 8:
        return None
    unread = ["lost"] if draw(_tenth) == 9 else []
    return given_policy("session", *draw(_allowing_lists), unread=unread)


@st.composite
def endpoints(draw: st.DrawFn) -> Policy | None:
    """An endpoint policy, for one question in six."""
    if draw(_tenth) < 8:
        return None
    unread = ["lost"] if draw(_tenth) == 9 else []
    said = [draw(_endpoint)]
    if draw(_tenth) < 4:
        said.append(EVERYBODY)
    return given_policy("endpoint", *said, unread=unread)


EVERYBODY = FULL.__class__(
    "all", FULL.effect, ("*",), (), ("*",), (), (("AWS", "*"),), (), ()
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Two identities, one or two things, and a few calls."""
    build = Builder()
    draw(organisations(build))
    subjects = draw(_subjects)
    for arn in subjects:
        draw(principals(build, arn))
    calls = draw(things(build))
    roles = [arn for arn in subjects if arn in ROLES]
    others = [*(("sts:AssumeRole", arn) for arn in roles), *PLAIN]
    chosen = draw(st.lists(st.sampled_from(calls), max_size=2, unique=True))
    if not chosen or draw(_tenth) > 6:
        chosen.append(draw(st.sampled_from([*others, *others[: len(roles)] * 4])))
    outside = draw(st.sampled_from([(), (), ANYBODY[:2], ANYBODY[2:4], ANYBODY[4:]]))
    return Case(
        facts=build.facts(),
        given=draw(given_keys),
        session=draw(sessions()),
        endpoint=draw(endpoints()),
        tags_collected=draw(st.booleans()),
        outsiders=tuple(outside),
        calls=tuple(chosen),
    )
