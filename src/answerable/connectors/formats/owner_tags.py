"""Find the owners that an identity's tags name (`Owner`, `Team`, e-mail addresses).

Any principal with tagging permission may have written them, including the identity
itself; the inventory decides this from its permissions.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from answerable.model.errors import IdError
from answerable.model.ids import build_person_id
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, Person
from answerable.model.provenance import FactProvenance

Tags = Sequence[tuple[str, str]]


def _word_set(text: str) -> frozenset[str]:
    """Split a tag value into its set of words."""
    return frozenset(text.split())


_PERSON_KEYS = _word_set(
    "owner ownedby ownername owneremail owneremailaddress contact contactemail "
    "createdby creator maintainer maintainedby managedby responsible "
    "responsibleperson accountable technicalowner businessowner serviceowner "
    "pointofcontact poc email"
)
_TEAM_KEYS = _word_set(
    "team teamname ownerteam owningteam teamowner squad tribe department "
    "businessunit supportteam"
)
_TEAM_WORDS = _word_set(
    "team teams squad tribe guild group dept department platform infra "
    "infrastructure devops devsecops sre ops operations security secops "
    "engineering data oncall admins support noc helpdesk it"
)
# Values that name a machine or no person.
_PLACEHOLDER_OWNERS = _word_set(
    "terraform pulumi cloudformation cdk ansible jenkins github gitlab argocd "
    "crossplane serverless automation automated system ci cicd root admin aws amazon "
    "unknown none null na n/a tbd todo - ? shared me default test yes no true false "
    "github-actions gitlab-ci"
)
_EMAIL = re.compile(
    r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
)
_HANDLE = re.compile(r"@?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_NON_WORD = re.compile(r"[^a-z0-9]+")
_SHORT = 120


@dataclass(frozen=True, slots=True)
class TagOwner:
    """Owner named by a tag."""

    text: str
    team: bool


def find_tag_owners(
    subjects: Iterable[str], tags: Tags, provenance: FactProvenance
) -> tuple[list[Person], list[OwnerEvidence]]:
    """Find the owners that tags name: people, and evidence for each subject.

    Args:
        subjects: Ids described by the tags: the identity and its agent.
        tags: Pairs (key, value).
        provenance: Provenance of the tags.
    """
    ids = tuple(subjects)
    people: list[Person] = []
    evidence: list[OwnerEvidence] = []
    for key, value in tags:
        for named in _parse_owner_tag(_normalise_tag_key(key), value):
            try:
                person = build_person_id(named.text)
            except IdError:
                continue
            people.append(Person(person, "", (), named.team, True, provenance))
            kind = (
                OwnerEvidenceKind.TEAM_TAG
                if named.team
                else OwnerEvidenceKind.OWNER_TAG
            )
            said = f"{key}={value}"[:_SHORT]
            evidence += [
                OwnerEvidence(
                    subject=subject,
                    person=person,
                    kind=kind,
                    reference=said,
                    act="",
                    standing=True,
                    seen=provenance,
                )
                for subject in ids
            ]
    return people, evidence


def _normalise_tag_key(key: str) -> str:
    """Normalise a tag key: `corp:Owned-By` becomes `ownedby`."""
    last = key.replace("/", ":").rsplit(":", 1)[-1]
    return _NON_WORD.sub("", last.lower())


def _parse_owner_tag(key: str, value: str) -> Iterator[TagOwner]:
    """Yield the team or the people that one tag names."""
    text = value.strip()
    if not text or text.lower() in _PLACEHOLDER_OWNERS or not text.isprintable():
        return
    if key in _TEAM_KEYS:
        yield TagOwner(text, True)
    elif key in _PERSON_KEYS:
        yield from _parse_person_names(text)


def _parse_person_names(text: str) -> Iterator[TagOwner]:
    """Yield the owners in a tag value: addresses, a handle, or a display name."""
    if text.startswith("arn:"):
        # A session ends in the name it was started under; other ARNs are machines.
        text = text.rsplit("/", 1)[-1]
        if not _EMAIL.fullmatch(text):
            return
    parts = [part for part in re.split(r"[,;\s]+", text) if part]
    if all(_EMAIL.fullmatch(part.strip("<>")) for part in parts):
        for part in parts[:5]:
            address = part.strip("<>")
            yield TagOwner(address, _is_team_name(address.split("@")[0]))
    elif _HANDLE.fullmatch(text):
        yield TagOwner(text.removeprefix("@"), _is_team_name(text))
    elif len(text) <= _SHORT:
        # Several words name a person or a group, and nothing tells which: a name that
        # is not an address routes like a team's and owns nothing.
        yield TagOwner(text, True)


def _is_team_name(text: str) -> bool:
    """Return whether a name is that of a team, by its words."""
    return not _TEAM_WORDS.isdisjoint(_NON_WORD.split(text.lower()))
