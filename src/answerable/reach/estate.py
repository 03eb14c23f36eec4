"""An inventory's facts, compiled once for any number of questions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from answerable.model.catalogue import Catalogue
from answerable.model.identity import Account, Identity
from answerable.model.ids import IdentityId, PolicyId, ResourceId
from answerable.model.policy import Attachment, Effect, Layer, Policy
from answerable.model.resource import Resource
from answerable.model.sighting import Facts
from answerable.reach.clauses import UNCOLLECTED, Clause, Gap, Grant, Interner
from answerable.reach.context import NOTHING, Known
from answerable.reach.evaluate import Request, request
from answerable.reach.matrix import possible
from answerable.reach.principals import (
    EVERYTHING_CLAUSE,
    Principal,
    is_role,
    is_root,
    known_of,
    tag_values,
)
from answerable.reach.trust import Trust, account_of


@dataclass(eq=False, slots=True)
class Estate:
    """Everything reach is asked about.

    Attributes:
        catalogue: Actions and resource types, as far as loaded.
        clauses: Every distinct statement, by number.
        principals: By id, in order of id.
        trusts: Of every role, collected or not.
        groups: Statements of each group's policies.
        accounts: By number.
        resources: By id.
        tags_collected: Whether resource tags were read, so that a missing one is absent.
        given: Condition keys the question states.
        written: Action patterns as written, by inner form.
        by_service: Roles that name a service in their trust.
        by_named: Roles by ARN, account or `*` in their trust.
    """

    catalogue: Catalogue
    clauses: tuple[Clause, ...]
    principals: Mapping[IdentityId, Principal]
    trusts: Mapping[IdentityId, Trust]
    groups: Mapping[str, tuple[Grant, ...]]
    accounts: Mapping[str, Account]
    resources: Mapping[ResourceId, Resource]
    tags_collected: bool
    given: Known = NOTHING
    written: Mapping[str, str] = field(default_factory=dict)
    by_service: Mapping[str, tuple[IdentityId, ...]] = field(default_factory=dict)
    by_named: Mapping[str, tuple[IdentityId, ...]] = field(default_factory=dict)

    def call(self, action: str, resource: str, given: Known | None = None) -> Request:
        """Make a request with what is known of its resource."""
        stated = self.given if given is None else given
        known = stated.over(self._resource_facts(resource))
        return request(action, resource, known, wild=self._is_wild(action, resource))

    def hop(self, action: str, resource: str, known: Known = NOTHING) -> Request:
        """Make the request of a hop: of the question's keys only those that last."""
        return self.call(action, resource, known.over(lasting(self.given)))

    def possible(self, action: str, resource: str) -> bool:
        """Tell whether an action can act on a resource at all."""
        return possible(self.catalogue, action, resource)

    def _is_wild(self, action: str, resource: str) -> bool:
        if resource == "*":
            entry = self.catalogue.action(action)
            return entry is not None and not entry.wildcard_only
        return "*" in resource or "?" in resource

    def _resource_facts(self, resource: str) -> Known:
        values: dict[str, tuple[str, ...]] = {}
        complete: tuple[str, ...] = ()
        parts = resource.split(":", 5)
        account = parts[4] if len(parts) == 6 else ""
        known = self.resources.get(ResourceId(resource))
        if known:
            account = account or known.account
            values.update(tag_values("aws:resourcetag/", known.tags))
            complete = ("aws:resourcetag/",) if self.tags_collected else ()
        principal = self.principals.get(IdentityId(resource))
        if principal:
            tags = principal.identity.tags
            values.update(tag_values("aws:resourcetag/", tags))
            values.update(tag_values("iam:resourcetag/", tags))
            if principal.collected:
                complete = ("aws:resourcetag/", "iam:resourcetag/")
        if account:
            values["aws:resourceaccount"] = (account,)
            owner = self.accounts.get(account)
            if owner and owner.organization:
                values["aws:resourceorgid"] = (owner.organization,)
        return Known(values, complete) if values or complete else NOTHING


def lasting(given: Known) -> Known:
    """Keep what holds for every call of a chain: network, session, token claims.

    What describes the principal, the resource or one operation's arguments belongs to
    the call that was asked about.
    """
    kept = {key: value for key, value in given.values.items() if _lasts(key)}
    return Known(kept) if kept else NOTHING


_OF_ONE_CALL = ("aws:principal", "aws:resource", "aws:requesttag", "aws:tagkeys")


def _lasts(key: str) -> bool:
    service, _, _ = key.partition(":")
    if key.startswith(_OF_ONE_CALL) or key in ("aws:username", "aws:userid"):
        return False
    return service in ("aws", "sts") or "." in service


@dataclass(slots=True)
class _Attached:
    grants: list[Grant] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    boundary: list[Grant] | None = None
    boundary_id: str = ""
    groups: list[str] = field(default_factory=list)
    policies: list[PolicyId] = field(default_factory=list)
    trust: list[Grant] = field(default_factory=list)
    trust_gaps: list[Gap] = field(default_factory=list)
    trust_collected: bool = False
    seen: bool = False


class _Builder:
    def __init__(self, facts: Facts) -> None:
        self.interner = Interner()
        self.policies = {policy.id: policy for policy in facts.policies}
        self.attached: dict[str, _Attached] = defaultdict(_Attached)
        self.groups: dict[str, list[Grant]] = defaultdict(list)
        self._compiled: dict[tuple[PolicyId, Layer], tuple[list[Grant], list[Gap]]] = {}

    def add(self, attachment: Attachment) -> None:
        grants, gaps = self._compile(attachment.policy, attachment.layer)
        held = self.attached[attachment.target]
        held.seen = True
        match attachment.layer:
            case Layer.IDENTITY:
                held.grants += grants
                held.gaps += gaps
                if _editable(attachment.policy):
                    held.policies.append(attachment.policy)
                self._add_group(attachment, grants)
            case Layer.BOUNDARY:
                held.boundary = [*(held.boundary or []), *grants]
                held.boundary_id = attachment.policy
                held.gaps += gaps
            case Layer.TRUST:
                held.trust += grants
                held.trust_gaps += gaps
                held.trust_collected = attachment.policy in self.policies
            case _:
                pass  # SCPs, RCPs, resource, session and endpoint policies: not yet

    def _add_group(self, attachment: Attachment, grants: list[Grant]) -> None:
        group = attachment.via
        if group:
            self.attached[attachment.target].groups.append(group)
        elif ":group/" in attachment.target:
            group = attachment.target
        if group:
            known = {(g.policy, g.sid) for g in self.groups[group]}
            self.groups[group] += [g for g in grants if (g.policy, g.sid) not in known]

    def _compile(self, policy: PolicyId, layer: Layer) -> tuple[list[Grant], list[Gap]]:
        found = self._compiled.get((policy, layer))
        if found is None:
            document: Policy | None = self.policies.get(policy)
            if document:
                found = self.interner.compile(document, layer)
            else:
                found = [], [Gap(UNCOLLECTED, layer, policy, "")]
            self._compiled[policy, layer] = found
        return found


def compile_estate(
    facts: Facts,
    catalogue: Catalogue,
    *,
    given: Known = NOTHING,
    tags_collected: bool = False,
) -> Estate:
    """Compile facts.

    Args:
        facts: Identities, accounts, policies, attachments and resources.
        catalogue: The services the question needs.
        given: Condition keys the question states.
        tags_collected: Whether resource tags were read.
    """
    builder = _Builder(facts)
    for attachment in sorted(
        set(facts.attachments), key=lambda a: (a.target, a.layer, a.policy, a.via)
    ):
        builder.add(attachment)
    accounts = {account.id: account for account in facts.accounts}
    identities = sorted(
        (i for i in facts.identities if _is_aws(i)), key=lambda one: one.id
    )
    trusts = {i.id: _trust(i, builder.attached[i.id]) for i in identities if is_role(i)}
    principals = {
        i.id: _principal(i, builder.attached[i.id], accounts, trusts.get(i.id))
        for i in identities
    }
    return Estate(
        catalogue=catalogue,
        clauses=tuple(builder.interner.clauses),
        principals=principals,
        trusts=trusts,
        groups={name: tuple(grants) for name, grants in sorted(builder.groups.items())},
        accounts=accounts,
        resources={resource.id: resource for resource in facts.resources},
        tags_collected=tags_collected,
        given=given,
        written=builder.interner.written,
        by_service=_index(_services(trusts.values())),
        by_named=_index(_named(trusts.values())),
    )


def _principal(
    identity: Identity,
    held: _Attached,
    accounts: Mapping[str, Account],
    trust: Trust | None,
) -> Principal:
    grants = list(held.grants)
    if is_root(identity):
        policy = PolicyId(f"{identity.id}#root")
        grants.append(Grant(EVERYTHING_CLAUSE, Layer.IDENTITY, policy, "root"))
    collected = is_root(identity) or bool(identity.unique_id) or held.seen
    if not collected:
        policy = PolicyId(f"{identity.id}#policies")
        held.gaps.append(Gap(UNCOLLECTED, Layer.IDENTITY, policy, ""))
    fixed = collected and (trust is None or not trust.tags_sessions)
    return Principal(
        identity=identity,
        grants=tuple(grants),
        boundary=None if held.boundary is None else tuple(held.boundary),
        boundary_id=held.boundary_id,
        gaps=tuple(held.gaps),
        known=known_of(identity, accounts, tags_fixed=fixed),
        groups=tuple(dict.fromkeys(held.groups)),
        policies=tuple(dict.fromkeys(held.policies)),
        collected=collected,
    )


def _trust(identity: Identity, held: _Attached) -> Trust:
    return Trust(
        role=identity.id,
        account=identity.account,
        grants=tuple(held.trust),
        gaps=tuple(held.trust_gaps),
        collected=held.trust_collected,
        plain=held.trust_collected
        and not held.trust_gaps
        and all(
            g.clause.static and g.clause.effect is Effect.ALLOW for g in held.trust
        ),
    )


def _is_aws(identity: Identity) -> bool:
    return identity.kind.startswith("aws") or identity.id.startswith("arn:")


def _editable(policy: PolicyId) -> bool:
    parts = policy.split(":", 5)
    return len(parts) == 6 and parts[4].isdigit() and "#" not in policy


def _services(trusts: Iterable[Trust]) -> Iterator[tuple[str, IdentityId]]:
    for trust in trusts:
        for grant in trust.grants:
            for kind, value in grant.clause.principals:
                if kind == "Service":
                    yield value, trust.role


def _named(trusts: Iterable[Trust]) -> Iterator[tuple[str, IdentityId]]:
    """Index roles by what their trust names: an ARN, an account, a session, or `*`.

    Roles whose trust was not collected, or not read whole, stand under `*`.
    """
    for trust in trusts:
        if not trust.collected or trust.gaps:
            yield "*", trust.role
        for grant in trust.grants:
            if grant.clause.not_principals:
                yield "*", trust.role
            for kind, value in grant.clause.principals:
                if kind == "AWS":
                    yield _key(value), trust.role


def _key(value: str) -> str:
    """Index an assumed-role session under its account: any role there may be it."""
    parts = value.split(":", 5)
    session = len(parts) == 6 and parts[2] == "sts"
    account = account_of(value)
    if session:
        return f"session {parts[4]}"
    return f"account {account}" if account else value


def _index(
    pairs: Iterable[tuple[str, IdentityId]],
) -> dict[str, tuple[IdentityId, ...]]:
    found: dict[str, dict[IdentityId, None]] = defaultdict(dict)
    for key, role in pairs:
        found[key][role] = None
    return {key: tuple(roles) for key, roles in found.items()}
