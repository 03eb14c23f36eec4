"""Merge the facts of all syncs: one fact for each id, the newest first.

If two syncs of one connector saw an object, the newer one alone counts, so that a
removed tag or policy is gone. Syncs of different connectors complete each other: a
value that the newest did not collect is taken from the next. The order of the input
does not matter.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from answerable.inventory.canonical_ids import CanonicalIds
from answerable.model.agent import Agent
from answerable.model.credential import Credential, CredentialLink
from answerable.model.identity import Account, Identity
from answerable.model.person import OwnerEvidence, Person
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.model.role_assignment import RoleAssignment
from answerable.model.sighting import SightedFacts, Sync
from answerable.model.tool import Tool
from answerable.model.user_group import UserGroup

Fact = TypeVar("Fact", bound=Account | Agent | Identity | Person | Policy | Resource)
Part = TypeVar(
    "Part",
    bound=PolicyAttachment
    | Credential
    | CredentialLink
    | OwnerEvidence
    | PublicAccessBlock
    | RoleAssignment
    | UserGroup
    | PlatformCatalogue,
)

# Keys under which facts merge; sorted by their text, the merged facts have their order.
MERGE_KEYS: Mapping[str, Callable[[Any], Hashable]] = {
    "credentials": lambda c: (c.id, c.place, c.name),
    "links": lambda c: (c.credential, c.identity, c.how),
    "attachments": lambda a: (a.policy, a.target, a.layer, a.via),
    "public_access": lambda b: b.target,
    "evidence": lambda e: (e.subject, e.person, e.kind, e.act, e.reference, e.seen),
    "assignments": lambda a: (a.permission_set, a.account, a.person, a.group),
    "groups": lambda g: g.id,
    "catalogues": lambda c: (c.platform, c.place, c.seen.source),
}
# Connectors whose sources are folders with agents of their own.
FOLDER_CONNECTORS = ("home", "repo")

_COVERAGE_WORDS: Mapping[PolicyLayer, str] = {
    PolicyLayer.IDENTITY: "identity-policies",
    PolicyLayer.BOUNDARY: "boundaries",
    PolicyLayer.TRUST: "role-trust",
    PolicyLayer.RESOURCE: "resource-policies",
    PolicyLayer.SCP: "scp",
    PolicyLayer.RCP: "rcp",
    PolicyLayer.SESSION: "session-policies",
    PolicyLayer.ENDPOINT: "endpoint-policies",
}


def select_newest_syncs(syncs: Iterable[tuple[str, Sync]]) -> tuple[Sync, ...]:
    """Select the newest scan result of each source, newest first."""
    named = [replace(sync, source=source) for source, sync in syncs]
    times = Counter((sync.started_at, sync.source) for sync in named)

    def rank(sync: Sync) -> tuple[int, str, str]:
        tied = times[sync.started_at, sync.source] > 1
        return (-sync.started_at, sync.source, repr(sync) if tied else "")

    newest: dict[str, Sync] = {}
    for sync in sorted(named, key=rank):
        newest.setdefault(sync.source, sync)
    return tuple(newest.values())


class _SyncPrecedence:
    """Precedence of syncs: whether a newer sync of the same connector saw an object.

    Each home and project states tools of its own: two of one name are two folders, and
    the agent of that name can have the tools of both.
    """

    def __init__(self, syncs: Sequence[Sync]) -> None:
        self._newest: dict[tuple[str, str, str], int] = {}
        for position, sync in enumerate(syncs):
            for seen in list_ids_seen_by_sync(sync):
                for word in ("", *sync.collected):
                    self._newest.setdefault((sync.connector, seen, word), position)

    def is_newest_sync_of_object(
        self, position: int, connector: str, object_id: str, coverage_word: str = ""
    ) -> bool:
        """Return whether the sync at `position` is the newest that saw an object."""
        newest = self._newest.get((connector, object_id, coverage_word))
        return newest is None or newest >= position


def list_ids_seen_by_sync(sync: Sync) -> set[str]:
    """Return the ids of all objects in a scan result."""
    facts = sync.facts
    seen: set[str] = {identity.id for identity in facts.identities}
    seen |= {agent.id for agent in facts.agents}
    seen |= {account.id for account in facts.accounts}
    seen |= {resource.id for resource in facts.resources}
    seen |= {group.id for group in facts.groups}
    seen |= {attachment.target for attachment in facts.attachments}
    return seen


def merge_facts_of_syncs(syncs: Sequence[Sync]) -> SightedFacts:
    """Merge the facts of all scan results into one set.

    Args:
        syncs: As `select_newest_syncs` returns them: one per source, newest first.

    Returns:
        Facts with one entry per id, sorted by id (a person may have a second one from
        their own files). Credentials keep one sighting per place; tools one per agent
        and place; links and evidence are deduplicated.
    """
    spell = CanonicalIds(i for sync in syncs for i in sync.facts.identities)
    spelled = [
        replace(sync, facts=_canonicalise_iam_ids(sync.facts, spell)) for sync in syncs
    ]
    speakers = _SyncPrecedence(spelled)
    connectors = [sync.connector for sync in spelled]
    origins = [_get_sync_origin(sync) for sync in spelled]
    facts = [sync.facts for sync in spelled]

    def parts(
        pick: Callable[[SightedFacts], Sequence[Part]],
        key: Callable[[Part], Hashable],
        about: Callable[[Part], tuple[str, str]],
    ) -> tuple[Part, ...]:
        kept: dict[Hashable, Part] = {}
        for position, each in enumerate(facts):
            for part in pick(each):
                if speakers.is_newest_sync_of_object(
                    position, connectors[position], *about(part)
                ):
                    kept.setdefault(key(part), part)
        return tuple(kept[name] for name in sorted(kept, key=repr))

    def whole(
        pick: Callable[[SightedFacts], Sequence[Fact]], by: Sequence[str] = connectors
    ) -> tuple[Fact, ...]:
        found: dict[tuple[str, bool], list[Fact]] = defaultdict(list)
        told: set[tuple[str, str]] = set()
        for connector, each in zip(by, facts, strict=True):
            mine = pick(each)
            for fact in mine:
                if (fact.id, connector) not in told:
                    found[_get_person_merge_key(fact)].append(fact)
            told |= {(fact.id, connector) for fact in mine}
        return tuple(
            _fill_fact_from_older_sightings(found[key]) for key in sorted(found)
        )

    return SightedFacts(
        persons=whole(lambda f: f.persons),
        agents=whole(lambda f: f.agents, origins),
        tools=_merge_tools_of_agents(spelled, speakers),
        credentials=parts(
            lambda f: f.credentials,
            MERGE_KEYS["credentials"],
            lambda c: (c.id, ""),
        ),
        links=parts(
            lambda f: f.links,
            MERGE_KEYS["links"],
            lambda c: (c.credential, ""),
        ),
        identities=whole(lambda f: f.identities),
        accounts=whole(lambda f: f.accounts),
        policies=whole(lambda f: f.policies),
        attachments=parts(
            lambda f: f.attachments,
            MERGE_KEYS["attachments"],
            lambda a: (a.target, _get_coverage_category(a)),
        ),
        resources=whole(lambda f: f.resources),
        public_access=parts(
            lambda f: f.public_access,
            MERGE_KEYS["public_access"],
            lambda b: (b.target, "public-access-block"),
        ),
        evidence=parts(
            lambda f: f.evidence,
            MERGE_KEYS["evidence"],
            lambda e: (e.subject if e.standing else "", ""),
        ),
        assignments=parts(
            lambda f: f.assignments,
            MERGE_KEYS["assignments"],
            lambda a: (a.permission_set, ""),
        ),
        groups=parts(lambda f: f.groups, MERGE_KEYS["groups"], lambda g: (g.id, "")),
        catalogues=parts(
            lambda f: f.catalogues,
            MERGE_KEYS["catalogues"],
            lambda c: ("", ""),
        ),
    )


def _merge_tools_of_agents(
    syncs: Sequence[Sync], precedence: _SyncPrecedence
) -> tuple[Tool, ...]:
    """Merge tools: of each agent the newest sync's alone."""
    kept: dict[Hashable, Tool] = {}
    for position, sync in enumerate(syncs):
        own = sync.connector in FOLDER_CONNECTORS
        for tool in sync.facts.tools:
            if own or precedence.is_newest_sync_of_object(
                position, sync.connector, tool.agent
            ):
                kept.setdefault((tool.agent, tool.id, tool.seen.place), tool)
    return tuple(kept[name] for name in sorted(kept, key=repr))


def _get_sync_origin(sync: Sync) -> str:
    """Return the connector of a sync, or the source if it reads folders."""
    return sync.source if sync.connector in FOLDER_CONNECTORS else sync.connector


def _get_coverage_category(attachment: PolicyAttachment) -> str:
    """Return the coverage category of an attached policy, such as `scps`."""
    grants = attachment.policy.endswith("#grants")
    return "kms-grants" if grants else _COVERAGE_WORDS[attachment.layer]


def _canonicalise_iam_ids(
    facts: SightedFacts, canonical_ids: CanonicalIds
) -> SightedFacts:
    """Replace the ids of IAM users and roles by their canonical ids."""
    return replace(
        facts,
        identities=tuple(
            i if canonical_ids(i.id) == i.id else replace(i, id=canonical_ids(i.id))
            for i in facts.identities
            # The account's role supersedes the permission set it comes from.
            if not i.id.startswith("aws-sso:") or canonical_ids(i.id) == i.id
        ),
        links=tuple(
            k
            if canonical_ids(k.identity) == k.identity
            else _canonicalise_credential_link(k, canonical_ids)
            for k in facts.links
        ),
        agents=tuple(
            replace(a, runs_as=tuple(canonical_ids(role) for role in a.runs_as))
            if a.runs_as
            else a
            for a in facts.agents
        ),
        resources=tuple(
            r
            if canonical_ids(r.runs_as) == r.runs_as
            else replace(r, runs_as=canonical_ids(r.runs_as))
            for r in facts.resources
        ),
        attachments=tuple(
            a
            if canonical_ids(a.target) == a.target
            else replace(a, target=str(canonical_ids(a.target)))
            for a in facts.attachments
        ),
        evidence=tuple(
            e
            if canonical_ids(e.subject) == e.subject
            else replace(e, subject=str(canonical_ids(e.subject)))
            for e in facts.evidence
        ),
    )


def _canonicalise_credential_link(
    link: CredentialLink, canonical_ids: CanonicalIds
) -> CredentialLink:
    """Replace the identity of a credential link by its canonical id."""
    return replace(link, identity=canonical_ids(link.identity))


def _get_person_merge_key(
    fact: Account | Agent | Identity | Person | Policy | Resource,
) -> tuple[str, bool]:
    """Return the key under which facts merge: self-reported people merge apart."""
    return fact.id, isinstance(fact, Person) and fact.seen.written_by.is_trusted_author


def _fill_fact_from_older_sightings(facts: Sequence[Fact]) -> Fact:
    """Fill empty fields of the newest fact from older ones."""
    first, *rest = facts
    if not rest:
        return first
    changes: dict[str, object] = {}
    for field in fields(first):
        value = getattr(first, field.name)
        for other in rest:
            if isinstance(value, bool) or value not in ("", 0, (), None):
                break
            value = getattr(other, field.name)
        changes[field.name] = value
    changes |= _combine_flags_of_sightings(facts)
    return replace(first, **changes)  # type: ignore[arg-type]  # names and values of one class


def _combine_flags_of_sightings(facts: Sequence[object]) -> dict[str, object]:
    """Combine a fact's boolean flags over all sources that saw it."""
    people = [fact for fact in facts if isinstance(fact, Person)]
    if people:
        return {
            "team": all(person.team for person in people),
            "alive": all(person.alive for person in people),
        }
    agents = [fact for fact in facts if isinstance(fact, Agent)]
    if agents:
        return _combine_unattended_flag_of_agents(agents)
    accounts = [fact for fact in facts if isinstance(fact, Account)]
    if accounts:
        return {"management": any(account.management for account in accounts)}
    return {}


def _combine_unattended_flag_of_agents(agents: Sequence[Agent]) -> dict[str, object]:
    """Mark agents of one name as unattended if any of them is."""
    sources = {agent.seen.source for agent in agents}
    places = sum(source.partition(":")[0] in FOLDER_CONNECTORS for source in sources)
    joined: dict[str, object] = {
        "unattended": any(agent.unattended for agent in agents),
        "runs_as": tuple(dict.fromkeys(r for agent in agents for r in agent.runs_as)),
    }
    if places > 1:
        joined["note"] = f"configured in {places} locations with the same name"
    return joined
