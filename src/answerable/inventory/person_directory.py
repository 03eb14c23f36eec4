"""Merge persons by handle and alias, and detect machine users and teams."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

from answerable.model.errors import UsageError
from answerable.model.ids import PersonId, build_person_id, normalise_handle
from answerable.model.inventory import Inventory
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, Person

if TYPE_CHECKING:
    from answerable.inventory.implied_persons import ImpliedPersons

PEOPLE_HINT = "list the people: answerable people"
# Names under which pipelines sign; a pipeline never counts as an owner.
_MACHINE_NAMES = frozenset(
    [
        "argocd",
        "atlantis",
        "automation",
        "azure-pipelines",
        "bot",
        "buildkite",
        "bitbucket-pipelines",
        "cd",
        "ci",
        "ci-cd",
        "cicd",
        "circleci",
        "cloudformation",
        "codebuild",
        "codepipeline",
        "concourse",
        "dependabot",
        "drone",
        "flux",
        "github-actions",
        "gitlab-ci",
        "gitlab-runner",
        "jenkins",
        "no-reply",
        "noreply",
        "pipeline",
        "pulumi",
        "renovate",
        "root",
        "runner",
        "spacelift",
        "system",
        "terraform",
        "terraform-cloud",
        "travis",
    ]
)
_MACHINE_SUFFIXES = (
    "[bot]",
    "-bot",
    "_bot",
    "-ci",
    ".amazonaws.com",
    "gserviceaccount.com",
)


_STATEMENT_KINDS = (OwnerEvidenceKind.ATTESTATION, OwnerEvidenceKind.CONFIRMATION)


def get_person_handle(person: str) -> str:
    """Return the handle in a person id: the part after `person:`."""
    return person.removeprefix("person:")


@lru_cache(maxsize=65_536)
def is_machine_user(person: str) -> bool:
    """Return whether a handle belongs to a machine user, never an owner."""
    bare = get_person_handle(person).lower()
    local = bare.partition("@")[0]
    if bare.startswith(("arn:", "svc-", "svc_")) or bare.endswith(_MACHINE_SUFFIXES):
        return True
    # Forges write NUMBER+NAME@users.noreply...; mail knows NAME+TAG@...
    return any(
        name in _MACHINE_NAMES or name.endswith(_MACHINE_SUFFIXES)
        for name in local.split("+")
    )


def is_team_handle(person: str) -> bool:
    """Return whether a handle is a GitHub or GitLab team (`@org/team`)."""
    return "/" in get_person_handle(person) and "@" not in get_person_handle(
        person
    ).lstrip("@")


class PersonDirectory:
    """Directory of persons, merged by handles and aliases."""

    def __init__(
        self, persons: Sequence[Person], evidence: Iterable[OwnerEvidence] = ()
    ) -> None:
        """Merge persons who share a handle or alias; candidates become persons too.

        Args:
            persons: Sightings, also several of one id. Aliases that an agent could have
                written itself merge no persons.
            evidence: Every candidate that it names becomes a person, unless it is a
                pipeline.
        """
        from answerable.inventory.implied_persons import ImpliedPersons

        implied = ImpliedPersons()
        implied.add(evidence)
        self._merge(persons, implied)

    @classmethod
    def from_implied_persons(
        cls, persons: Sequence[Person], implied: "ImpliedPersons"
    ) -> "PersonDirectory":
        """Build a directory of persons, and of those that evidence names."""
        people = cls.__new__(cls)
        people._merge(persons, implied)
        return people

    def _merge(self, persons: Sequence[Person], implied: "ImpliedPersons") -> None:
        """Merge the sightings of each person, and the persons that evidence names."""
        named = {person.id for person in persons}
        known = [
            *persons,
            *(
                Person(
                    key, "", (), found.is_team or is_team_handle(key), True, found.seen
                )
                for key, found in implied.items()
                if key not in named and not is_machine_user(key)
            ),
        ]
        # Handles and believed aliases only; self-reported aliases are only shown.
        self.handles: Mapping[str, PersonId] = _map_handles_to_person_ids(known)
        merged: dict[PersonId, list[Person]] = defaultdict(list)
        for person in known:
            merged[self(person.id)].append(person)
        self.by_id: Mapping[PersonId, Person] = {
            head: self._resolve_responsible(_merge_person_facts(head, found))
            for head, found in sorted(merged.items())
        }

    @classmethod
    def from_merged_persons(
        cls, handles: Mapping[str, PersonId], by_id: Mapping[PersonId, Person]
    ) -> "PersonDirectory":
        """Build a directory from persons that are already merged.

        Args:
            handles: Id by folded handle or believed alias.
            by_id: Merged persons.
        """
        people = cls.__new__(cls)
        people.handles = handles
        people.by_id = by_id
        return people

    def __call__(self, person: str) -> PersonId:
        """Return the merged id of a person; an unknown handle comes back unchanged."""
        return self.handles.get(
            normalise_handle(get_person_handle(person)), PersonId(person)
        )

    def _resolve_responsible(self, person: Person) -> Person:
        """Return a person whose manager and sponsors are merged ids."""
        if not person.manager and not person.sponsors:
            return person
        return replace(
            person,
            manager=self(person.manager) if person.manager else "",
            sponsors=tuple(dict.fromkeys(map(self, person.sponsors))),
        )

    def get_merged_person(self, person: str) -> Person | None:
        """Return the person that an id of any source belongs to."""
        return self.by_id.get(self(person))


def parse_owner(inventory: Inventory, text: str) -> PersonId:
    """Parse a person id; another form of a known person gives that person.

    Raises:
        UsageError: The text has a space in it, and is no known person's name.
    """
    named, people = build_person_id(text), PersonDirectory(inventory.facts.persons)
    if any(map(str.isspace, named)) and people.get_merged_person(named) is None:
        raise UsageError(
            f"not a person (got {text.strip()[:200]!r}, expected one address or handle)",
            "for example ana@corp.example or ana; list known people with: "
            "answerable people",
        )
    return people(named)


def require_known_person(inventory: Inventory, text: str) -> PersonId:
    """Return the id of a known person who is no team and no pipeline.

    Raises:
        UsageError: There is none.
    """
    person = parse_owner(inventory, text)
    known = inventory.persons.get(person)
    if known is None or known.team or is_team_handle(person) or is_machine_user(person):
        raise UsageError(f"no known person (got {text.strip()[:200]!r})", PEOPLE_HINT)
    return person


def describe_unknown_person(inventory: Inventory, text: str) -> str:
    """Return a warning about a name that no scan contains; empty for a known one.

    The name may be right: scans do not contain everyone.
    """
    person = PersonDirectory(inventory.facts.persons)(build_person_id(text))
    if person in inventory.persons:
        return ""
    handles = [get_person_handle(each) for each in inventory.persons]
    close = get_close_matches(get_person_handle(person)[:200], handles, 1, 0.8)
    suggestion = f"; did you mean {close[0]}?" if close else ""
    return f"no scan contains {person}: check the spelling{suggestion}"


def group_listed_persons(
    persons: Mapping[PersonId, Person], evidence: Iterable[OwnerEvidence]
) -> Mapping[PersonId, tuple[PersonId, ...]]:
    """Return the persons to list, each with the ids it represents.

    A person known by self-reported evidence alone is listed under the one person whose
    home states that address. No decision depends on this, since an agent of the home
    could have written both. A person named as an owner by other evidence is listed
    separately.
    """
    named = {
        item.person
        for item in evidence
        if item.seen.written_by.is_trusted_author or item.kind in _STATEMENT_KINDS
    }
    stating: dict[str, set[PersonId]] = defaultdict(set)
    for key, person in persons.items():
        for alias in person.aliases:
            stating[normalise_handle(alias)].add(key)
    found: dict[PersonId, list[PersonId]] = {}
    apart: list[tuple[PersonId, PersonId]] = []
    for key, person in persons.items():
        others = stating[normalise_handle(get_person_handle(key))] - {key}
        believed = person.seen.written_by.is_trusted_author or key in named
        if len(others) == 1 and not believed and not person.aliases:
            apart.append((key, next(iter(others))))
        else:
            found[key] = [key]
    for key, other in apart:
        found.setdefault(other, [other]).append(key)
    return {key: tuple(ids) for key, ids in found.items()}


def join_merged_groups(
    groups: Mapping[PersonId, tuple[PersonId, ...]],
    pairs: Iterable[tuple[PersonId, PersonId]],
) -> Mapping[PersonId, tuple[PersonId, ...]]:
    """Join the groups of listed persons whose ids are stated to be one person.

    A joined group is listed under its best id. A pair with an unknown id joins nothing.
    """
    head = {each: key for key, ids in groups.items() for each in ids}
    found = dict(groups)
    for first, second in pairs:
        one, other = head.get(first), head.get(second)
        if one is None or other is None or one == other:
            continue
        best, rest = sorted(
            (one, other), key=lambda key: _get_handle_sort_key(get_person_handle(key))
        )
        found[best] = (*found[best], *found.pop(rest))
        head.update(dict.fromkeys(found[best], best))
    return found


def list_person_groups(inventory: Inventory) -> Mapping[PersonId, tuple[PersonId, ...]]:
    """Return the persons to list, each with its ids, after all stated merges."""
    return inventory.get_or_compute_value("listed people", _group_person_ids)


def _group_person_ids(inventory: Inventory) -> Mapping[PersonId, tuple[PersonId, ...]]:
    """Group the ids of each person's entries in the inventory."""
    found = group_listed_persons(inventory.persons, inventory.facts.evidence)
    return join_merged_groups(found, [merge.pair for merge in inventory.merges])


def list_merged_ids(
    inventory: Inventory, person: PersonId
) -> tuple[PersonId, tuple[PersonId, ...]]:
    """Return the id under which a person is listed, and the ids merged into it."""
    merged = {name for merge in inventory.merges for name in merge.pair}
    if person not in merged:
        return person, ()
    for key, ids in list_person_groups(inventory).items():
        if person in ids:
            return key, tuple(each for each in ids if each in merged and each != key)
    return person, ()


def merge_listed_persons(
    inventory: Inventory, key: PersonId, ids: Sequence[PersonId]
) -> Person:
    """Return a listed person with the names of the ids that were merged into it.

    The person has left if one of them has: a merge must not hide that.
    """
    person = inventory.persons[key]
    merged = {name for merge in inventory.merges for name in merge.pair}
    others = [inventory.persons[each] for each in ids if each in merged and each != key]
    if not others:
        return person
    names = {*person.aliases, *(get_person_handle(each.id) for each in others)}
    names |= {alias for each in others for alias in each.aliases}
    own = normalise_handle(get_person_handle(key))
    return replace(
        person,
        name=person.name or next((e.name for e in others if e.name), ""),
        aliases=tuple(sorted(each for each in names if normalise_handle(each) != own)),
        alive=person.alive and all(each.alive for each in others),
    )


def _map_handles_to_person_ids(persons: Iterable[Person]) -> dict[str, PersonId]:
    """Map each handle and trusted alias to its group's best id."""
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    ids: dict[str, PersonId] = {}
    for person in persons:
        own = normalise_handle(get_person_handle(person.id))
        ids[own] = person.id
        find(own)
        if person.seen.written_by.is_trusted_author:
            for alias in person.aliases:
                parent[find(normalise_handle(alias))] = find(own)
    heads: dict[str, PersonId] = {}
    for own in sorted(ids, key=_get_handle_sort_key):
        heads.setdefault(find(own), ids[own])
    return {name: heads[find(name)] for name in parent}


def _get_handle_sort_key(name: str) -> tuple[bool, int, str]:
    """Return the sort key that puts the best handle of a group first."""
    return ("@" not in name, len(name), name)


def _merge_person_facts(person_id: PersonId, persons: Sequence[Person]) -> Person:
    """Merge the facts about one person under one id."""
    persons = sorted(
        persons,
        key=lambda p: (
            p.id != person_id,
            not p.seen.written_by.is_trusted_author,
            repr(p),
        ),
    )
    # A single team tag must not turn a person into a team.
    telling = [p for p in persons if p.seen.written_by.is_trusted_author] or persons
    names = {normalise_handle(get_person_handle(p.id)) for p in persons}
    names |= {normalise_handle(alias) for p in persons for alias in p.aliases}
    return replace(
        persons[0],
        id=person_id,
        name=next((p.name for p in persons if p.name), ""),
        aliases=tuple(sorted(names - {normalise_handle(get_person_handle(person_id))})),
        team=all(p.team for p in telling) or is_team_handle(person_id),
        alive=all(p.alive for p in telling),
        manager=next((p.manager for p in telling if p.manager), ""),
        sponsors=next((p.sponsors for p in telling if p.sponsors), ()),
    )
