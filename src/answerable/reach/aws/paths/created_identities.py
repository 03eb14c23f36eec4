"""Edges by creation of an identity: create it, grant it anything, become it.

One node represents every role, and one every user, that principals of an account could
create. The creator chooses its name and tags, so conditions on them stay open.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import Layer
from answerable.model.provenance import Seen, WrittenBy
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import (
    EVERYTHING_CLAUSE,
    Principal,
    known_of,
    partition_of,
)
from answerable.reach.aws.compiled.statements import Grant
from answerable.reach.aws.escalation_rules.registry import (
    AWAITED,
    LAUNCHES,
    MAKES,
    NAME,
    Launch,
    Make,
    Need,
    On,
)
from answerable.reach.aws.evaluation.assume_role import assume_after_edit
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.request import Answer
from answerable.reach.aws.paths.edges import (
    Edge,
    Node,
    Only,
    asked_about,
    is_sure,
    make_edge,
)
from answerable.reach.aws.paths.pass_role import PASS_ROLE
from answerable.reach.aws.paths.witness_resources import (
    answers_on,
    candidates,
    together,
)
from answerable.reach.formula import FALSE, TRUE, atom

TO_BE_MADE = "to be made"
_KINDS = {On.ROLE: "role", On.USER: "user"}
_CHOSEN = ("aws:principalarn", "aws:userid")  # follow from the chosen name


class _Graph(Protocol):
    estate: Estate

    def admin(self, node: Node) -> bool: ...


def made_id(account: str, on: On, partition: str = "aws") -> IdentityId:
    """Build the id of the identity that an account's principals could create."""
    arn = f"arn:{partition}:iam::{account}:{_KINDS[on]}/{NAME}"
    return IdentityId(to_be_made(arn))


def to_be_made(arn: str) -> str:
    """Mark the ARN of an identity as not yet created."""
    return f"{arn} ({TO_BE_MADE})"


def is_made(identity: IdentityId) -> bool:
    """Tell whether an identity is not yet created."""
    return identity.endswith(f"({TO_BE_MADE})")


def made_principal(estate: Estate, identity: IdentityId) -> Principal:
    """Compile an identity not yet created, with all permissions of its account."""
    parts = identity.split(":", 5)
    kind = parts[5].partition("/")[0]
    new = Identity(
        id=identity,
        kind=f"aws-{kind}-to-be-made",
        name=identity.rpartition("/")[2],
        account=parts[4],
        unique_id="",
        tags=(),
        created_at=0,
        last_used_at=0,
        seen=Seen("", "", WrittenBy.PLATFORM, 0),
    )
    known = known_of(new, estate.accounts, tags_fixed=False)
    chosen = (*_CHOSEN, "aws:username") if kind == "user" else _CHOSEN
    kept = {key: value for key, value in known.values.items() if key not in chosen}
    policy = PolicyId(f"{identity}#chosen")
    levels = estate.controls.get(new.account, ())
    return Principal(
        identity=new,
        grants=(Grant(EVERYTHING_CLAUSE, Layer.IDENTITY, policy, "any"),),
        boundary=None,
        boundary_id="",
        gaps=tuple(gap for level in levels for gap in level.gaps),
        known=Known(kept, known.complete),
        extra="*",
        levels=levels,
    )


def making(
    graph: _Graph,
    node: Node,
    principal: Principal,
    best: Mapping[Node, Edge],
    only: Only = None,
) -> Iterator[Edge]:
    """List the edges of a principal by creating an identity or a group."""
    for make in MAKES:
        to = leads_to(graph, node, principal, make)
        if to and asked_about(only, to.identity) and not is_sure(best, to):
            yield from _make(graph.estate, principal, make, to)


def leads_to(
    graph: _Graph, node: Node, principal: Principal, make: Make
) -> Node | None:
    """Return the node that a creation rule leads to; None if it adds nothing."""
    allows = principal.matching(make.create.action.lower()).allows
    if not allows and not principal.gaps:
        return None
    if make.on is On.GROUP:
        if principal.is_role or node.extra == "*" or graph.admin(node):
            return None
        return Node(node.identity, "*")
    partition = partition_of(principal.id)
    to = Node(made_id(principal.identity.account, make.on, partition), "*")
    return None if to.identity == principal.id else to


def _make(estate: Estate, principal: Principal, make: Make, to: Node) -> Iterator[Edge]:
    for widen, enter in product(make.widen, make.enter):
        found = at_one_name(estate, principal, make, (make.create, widen, enter))
        if found:
            via = " + ".join(n.action for n in (make.create, widen, enter))
            yield from make_edge(to, via, *found.answers, new_name=found.arn)
            if found.is_sure:
                return
    if make.on is On.ROLE:
        for launch in LAUNCHES:
            if not launch.changes:
                yield from launched(estate, principal, make, launch, to)


def launched(
    estate: Estate, principal: Principal, make: Make, launch: Launch, to: Node
) -> Iterator[Edge]:
    """Create a role that trusts a service, and have the service run code under it."""
    passed = (("iam:passedtoservice", launch.service),)
    enter = Need(PASS_ROLE, make.create.resource, passed)
    needs = (*launch.also, *launch.needs)
    running = together(estate, principal, needs)
    if launch.awaits:
        awaited = atom(AWAITED, "Exists", (launch.awaits,))
        running = (*running, Answer(awaited, ()))
    if any(answer.formula == FALSE for answer in running):
        return
    for widen in make.widen:
        found = at_one_name(estate, principal, make, (make.create, widen, enter))
        if found:
            calls = (make.create, widen, enter, *needs)
            via = " + ".join(dict.fromkeys(need.action for need in calls))
            answers = (*found.answers, *running)
            yield from make_edge(to, via, *answers, new_name=found.arn)


@dataclass(frozen=True, slots=True)
class NewName:
    """Name for a new resource, with the results of the calls on it.

    Attributes:
        arn: The ARN with that name.
        answers: One result per call; none is a denial.
    """

    arn: str
    answers: tuple[Answer, ...]

    @property
    def is_sure(self) -> bool:
        """Tell whether every call is allowed without a condition."""
        return all(answer.formula == TRUE for answer in self.answers)


def at_one_name(
    estate: Estate, principal: Principal, make: Make, needs: Sequence[Need]
) -> NewName | None:
    """Find the name with the best results; None where some call is always denied."""
    best: NewName | None = None
    calls = [need for need in needs if need.action != "sts:AssumeRole"]
    for resource in candidates(estate, principal, needs):
        if IdentityId(resource) in estate.principals or resource in estate.groups:
            continue  # creating an existing name fails
        answers = answers_on(estate, principal, calls, resource)
        if len(calls) < len(needs):
            entering = assume_after_edit(estate, principal, IdentityId(resource))
            answers = (*answers, entering)
        if any(answer.formula == FALSE for answer in answers):
            continue
        found = NewName(resource, answers)
        if found.is_sure:
            return found
        best = best or found
    return best
