"""Owner tags of an identity, recorded as evidence and weighed elsewhere.

Any principal with tagging permission may have written them, including the identity
itself; the inventory decides this from its permissions.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from answerable.model.errors import IdError
from answerable.model.ids import person_id
from answerable.model.person import EvidenceKind, OwnerEvidence, Person
from answerable.model.provenance import Seen

Tags = Sequence[tuple[str, str]]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERSON_KEYS = _words(
    "owner ownedby ownername owneremail owneremailaddress contact contactemail "
    "createdby creator maintainer maintainedby managedby responsible "
    "responsibleperson accountable technicalowner businessowner serviceowner "
    "pointofcontact poc email"
)
_TEAM_KEYS = _words(
    "team teamname ownerteam owningteam teamowner squad tribe department "
    "businessunit supportteam"
)
_TEAM_WORDS = _words(
    "team teams squad tribe guild group dept department platform infra "
    "infrastructure devops devsecops sre ops operations security secops "
    "engineering data oncall admins support noc helpdesk it"
)
# Values that name a machine or nobody.
_NOBODY = _words(
    "terraform pulumi cloudformation cdk ansible jenkins github gitlab argocd "
    "crossplane serverless automation automated system ci cicd root admin aws amazon "
    "unknown none null na n/a tbd todo - ? shared me default test yes no true false "
    "github-actions gitlab-ci"
)
_EMAIL = re.compile(
    r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
)
_HANDLE = re.compile(r"@?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_SHORT = 120


@dataclass(frozen=True, slots=True)
class Named:
    """Owner named by a tag."""

    text: str
    team: bool


def owners(
    subjects: Iterable[str], tags: Tags, seen: Seen
) -> tuple[list[Person], list[OwnerEvidence]]:
    """Extract people and evidence for each subject from owner tags.

    Args:
        subjects: Ids described by the tags: the identity and its agent.
        tags: Pairs (key, value).
        seen: Provenance of the tags.
    """
    ids = tuple(subjects)
    people: list[Person] = []
    evidence: list[OwnerEvidence] = []
    for key, value in tags:
        for named in _named(_tag_key(key), value):
            try:
                person = person_id(named.text)
            except IdError:
                continue
            people.append(Person(person, "", (), named.team, True, seen))
            kind = EvidenceKind.TEAM_TAG if named.team else EvidenceKind.OWNER_TAG
            said = f"{key}={value}"[:_SHORT]
            evidence += [
                OwnerEvidence(subject, person, kind, said, "", True, seen)
                for subject in ids
            ]
    return people, evidence


def _tag_key(key: str) -> str:
    """Fold `corp:Owned-By` to `ownedby`."""
    last = key.replace("/", ":").rsplit(":", 1)[-1]
    return _NO_WORD.sub("", last.lower())


def _named(key: str, value: str) -> Iterator[Named]:
    text = value.strip()
    if not text or text.lower() in _NOBODY or not text.isprintable():
        return
    if key in _TEAM_KEYS:
        yield Named(text, True)
    elif key in _PERSON_KEYS:
        yield from _people(text)


def _people(text: str) -> Iterator[Named]:
    if text.startswith("arn:"):
        # A session ends in the name it was started under; other ARNs are machines.
        text = text.rsplit("/", 1)[-1]
        if not _EMAIL.fullmatch(text):
            return
    parts = [part for part in re.split(r"[,;\s]+", text) if part]
    if all(_EMAIL.fullmatch(part.strip("<>")) for part in parts):
        for part in parts[:5]:
            address = part.strip("<>")
            yield Named(address, _is_team(address.split("@")[0]))
    elif _HANDLE.fullmatch(text):
        yield Named(text.removeprefix("@"), _is_team(text))
    elif len(text) <= _SHORT:
        # Several words name a person or a group, and nothing tells which: a name that
        # is not an address routes like a team's and owns nothing.
        yield Named(text, True)


def _is_team(text: str) -> bool:
    return not _TEAM_WORDS.isdisjoint(_NO_WORD.split(text.lower()))
