"""Divide facts by AWS account, so that a large inventory is joined part by part.

Facts that affect one another in a join are in places that belong together: an agent is
joined with the accounts of the roles that it runs as, a credential with the account of
the identity that it proves. The policies of AWS, which any account may attach, and the
names of persons are all that places share otherwise.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any

from answerable.inventory.sync_merge import FOLDER_CONNECTORS
from answerable.model.agent import Agent
from answerable.model.credential import Credential, CredentialClass, CredentialLink
from answerable.model.identity import Identity
from answerable.model.ids import decode_access_key_account
from answerable.model.person import OwnerEvidence
from answerable.model.policy import PolicyAttachment
from answerable.model.resource import Resource
from answerable.model.sighting import SightedFacts
from answerable.model.tool import Tool
from answerable.model.user_group import UserGroup

ELSEWHERE = ""  # place of facts about no account
_ARN_PARTS = 6
_ACCOUNT_DIGITS = 12
_SSO, _CREDENTIAL, _AGENT = "aws-sso:", "cred:", "agent:"


class FactDivision:
    """Places of facts, and which of them belong together.

    Attributes:
        shared_policies: Policies of no account that accounts attach.
    """

    def __init__(self) -> None:
        """Begin without facts."""
        self.shared_policies: set[str] = set()
        self._agents: dict[str, str] = {}  # place of each
        self._parents: dict[str, str] = {ELSEWHERE: ELSEWHERE}

    def divide(self, facts: SightedFacts, connector: str) -> Mapping[str, SightedFacts]:
        """Divide the facts of a sync by place."""
        for agent in facts.agents:
            place = _find_role_place(agent)
            if connector in FOLDER_CONNECTORS or agent.scope or agent.parent:
                place = ELSEWHERE
                self._join(agent.id, ELSEWHERE)
            self._agents.setdefault(agent.id, place)
        found: dict[str, dict[str, list[object]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for field in fields(SightedFacts):
            name = field.name
            list_places = _PLACES.get(name)
            for fact in getattr(facts, name):
                place, *others = list_places(fact) if list_places else (ELSEWHERE,)
                place = self._agents.get(place, _drop_entity(place))
                for other in others:
                    self._join(place, other)
                found[place][name].append(fact)
        for each in facts.attachments:
            if find_place(each.target) and not find_place(each.policy):
                self.shared_policies.add(each.policy)
        return {
            place: SightedFacts(
                **{name: tuple(rows) for name, rows in kinds.items()}  # type: ignore[arg-type]  # of these kinds
            )
            for place, kinds in found.items()
        }

    def place_evidence(self, fact: OwnerEvidence) -> str:
        """Find the place of evidence that no sync has."""
        place, *others = _list_evidence_places(fact)
        place = self._agents.get(place, _drop_entity(place))
        for other in others:
            self._join(place, other)
        return place

    def group(self, places: Iterable[str]) -> list[list[str]]:
        """Group places that belong together; the one of no account comes first."""
        found: dict[str, list[str]] = {}
        for place in sorted({ELSEWHERE, *places}):
            found.setdefault(self._find(place), []).append(place)
        return list(found.values())

    def _join(self, one: str, other: str) -> None:
        """Note that two places, or a place and a credential, belong together."""
        if one != other:
            self._parents[self._find(one)] = self._find(other)

    def _find(self, place: str) -> str:
        """Return the place that stands for all that belong together."""
        parents = self._parents
        parent = parents.setdefault(place, place)
        while parent != place:
            parents[place] = parents[parent]
            place, parent = parent, parents[parent]
        return place


@lru_cache(maxsize=65_536)
def find_place(key: str) -> str:
    """Find the account that an id belongs to; an organization's belong to none."""
    parts = key.split(":", _ARN_PARTS - 1)
    if len(parts) == _ARN_PARTS and parts[0] == "arn":
        return ELSEWHERE if parts[2] == "organizations" else _check_account(parts[4])
    if key.startswith(_SSO):
        return _check_account(key.removeprefix(_SSO).partition("/")[0])
    return ELSEWHERE


def _drop_entity(place: str) -> str:
    """Return the place of an agent that no source lists, or an account as it is."""
    return ELSEWHERE if place.startswith(_AGENT) else place


def _check_account(text: str) -> str:
    """Return an account number; other texts are no place."""
    is_account = len(text) == _ACCOUNT_DIGITS and text.isdecimal()
    return text if is_account else ELSEWHERE


def _find_role_place(agent: Agent) -> str:
    """Find the account of the first role that an agent runs as."""
    return find_place(agent.runs_as[0]) if agent.runs_as else ELSEWHERE


def _list_agent_places(fact: Agent) -> Iterator[str]:
    """Yield an agent, its place, its parent, and the places of the roles it runs as."""
    yield fact.id
    yield fact.id
    if fact.parent:
        yield fact.parent
    yield from map(find_place, fact.runs_as)


def _list_tool_places(fact: Tool) -> Iterator[str]:
    """Yield the place of a tool, its agent, and the credentials that it states."""
    yield ELSEWHERE
    yield fact.agent
    yield from fact.credentials


def _list_credential_places(fact: Credential) -> Iterator[str]:
    """Yield the place of a sighting: that of an account's own list, or elsewhere."""
    is_listed = fact.cls is CredentialClass.RECORD and not fact.scope
    yield _check_account(fact.account) if is_listed else ELSEWHERE
    yield fact.id


def _list_link_places(fact: CredentialLink) -> Iterator[str]:
    """Yield the place of the identity that a credential proves."""
    yield find_place(fact.identity)
    yield fact.credential


def _list_identity_places(fact: Identity) -> Iterator[str]:
    """Yield the place of an identity, also by the account that it states."""
    place = find_place(fact.id)
    yield place
    if place and _check_account(fact.account):
        yield fact.account


def _list_attachment_places(fact: PolicyAttachment) -> Iterator[str]:
    """Yield the place of the target, and those of its policy and its group."""
    yield find_place(fact.target)
    for each in (fact.policy, fact.via):
        place = find_place(each)
        if place:
            yield place


def _list_resource_places(fact: Resource) -> Iterator[str]:
    """Yield the place of a resource, and that of the role its code runs as."""
    yield find_place(fact.id)
    if fact.runs_as:
        yield find_place(fact.runs_as)


def _list_evidence_places(fact: OwnerEvidence) -> Iterator[str]:
    """Yield the place of the subject of evidence."""
    if fact.subject.startswith(_CREDENTIAL):
        account = decode_access_key_account(fact.subject.removeprefix("cred:aws/"))
        yield _check_account(account or "")
        yield fact.subject
    elif fact.subject.startswith(_AGENT):
        yield fact.subject
        yield fact.subject
    else:
        yield find_place(fact.subject)


def _list_group_places(fact: UserGroup) -> Iterator[str]:
    """Yield the place of a group, and those of its members."""
    yield find_place(fact.id)
    yield from map(find_place, fact.members)


_PLACES: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "agents": _list_agent_places,
    "tools": _list_tool_places,
    "credentials": _list_credential_places,
    "links": _list_link_places,
    "identities": _list_identity_places,
    "policies": lambda fact: (find_place(fact.id),),
    "attachments": _list_attachment_places,
    "resources": _list_resource_places,
    "public_access": lambda fact: (find_place(fact.target),),
    "evidence": _list_evidence_places,
    "assignments": lambda fact: (_check_account(fact.account),),
    "groups": _list_group_places,
}
