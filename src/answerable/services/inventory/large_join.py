"""Join a large snapshot part by part, each with some accounts, and cache the result.

The memory depends on the largest account, not on their number. Accounts that an agent or
a credential of another source refers to are one part.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.inventory.fact_division import (
    FactDivision,
)
from answerable.inventory.implied_persons import ImpliedPersons
from answerable.inventory.ownership_propagation import list_named_persons
from answerable.inventory.person_directory import PersonDirectory
from answerable.inventory.sync_join import (
    collect_ownership_records,
    list_sync_coverage,
    merge_syncs_into_inventory,
)
from answerable.inventory.sync_merge import list_ids_seen_by_sync
from answerable.model.ids import PersonId
from answerable.model.inventory import Inventory
from answerable.model.person import OwnerEvidence
from answerable.model.policy import Policy
from answerable.model.role_assignment import RoleAssignment
from answerable.model.sighting import SightedFacts, Sync
from answerable.services.inventory.divided_facts import DividedFacts
from answerable.store.inventory_parts import InventoryParts

_SSO = ":sso:"  # in the ids of permission sets
_Rank = tuple[int, str]


@dataclass(slots=True)
class LargeJoin:
    """Join of a snapshot, whose syncs are added one after the other.

    Attributes:
        attestations: Statements of persons about owners.
        identities_per_part: Identities in a part of several accounts.
        found: Credentials that a source found in a place.
    """

    _divided: DividedFacts
    attestations: Sequence[OwnerEvidence]
    identities_per_part: int
    found: set[str] = field(default_factory=set)
    _division: FactDivision = field(default_factory=FactDivision)
    _sizes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _named: dict[str, set[PersonId]] = field(default_factory=lambda: defaultdict(set))
    _connectors: dict[str, set[tuple[str, int]]] = field(
        default_factory=lambda: defaultdict(set)
    )
    _assignments: list[tuple[int, RoleAssignment]] = field(default_factory=list)
    _assigned: set[str] = field(default_factory=set)
    _newest: dict[tuple[str, str], _Rank] = field(default_factory=dict)

    def add(self, sync: Sync) -> None:
        """Divide the facts of a sync by account, and write them to disk.

        Raises:
            EnvironmentFailure: The disk is full or fails.
        """
        number = self._divided.add_sync(sync)
        self.found.update(each.id for each in sync.facts.credentials)
        self._assignments += ((number, each) for each in sync.facts.assignments)
        rank = self._rank(number)
        for seen in list_ids_seen_by_sync(sync):
            if _SSO in seen:
                key = sync.connector, seen
                self._newest[key] = min(self._newest.get(key, rank), rank)
        self._add_facts(number, replace(sync.facts, assignments=()))

    def save(
        self, parts: InventoryParts, trail: Sync, *, taken_at: int, name: str
    ) -> None:
        """Join all syncs that were added, part by part, and save the inventory.

        Args:
            parts: Parts of the cached inventory.
            trail: Facts of audit logs, which are no scanned source.
            taken_at: Time of the snapshot, UTC nanoseconds.
            name: Name of the snapshot.
        """
        scanned = list_sync_coverage(self._divided.syncs)
        self.add(trail)
        self._add_assignments()
        statements: dict[str, list[OwnerEvidence]] = defaultdict(list)
        for each in self.attestations:
            statements[self._division.place_evidence(each)].append(each)

        def merge(places: Iterable[str]) -> Inventory:
            syncs = self._divided.read_syncs(places)
            said = [each for place in places for each in statements[place]]
            pairs = [(sync.source, sync) for sync in syncs]
            return merge_syncs_into_inventory(pairs, attestations=said)

        known = {*self._divided.list_places(), *statements}
        first, *groups = self._division.group(known)
        others = list(self._pack(groups))
        named = {
            each.person
            for each in self.attestations
            if each.seen.written_by.is_trusted_author
        }
        for part in others:
            for places in part:
                if self._is_evidence_final(places):
                    named.update(*(self._named[place] for place in places))
                else:
                    named |= list_named_persons(merge(places).facts)
        rest = merge(first)
        named |= list_named_persons(rest.facts)
        persons = rest.facts.persons
        shared = [
            each
            for each in rest.facts.policies
            if each.id in self._division.shared_policies
        ]
        implied = ImpliedPersons()
        _save_part(parts, rest, named, (), implied)
        del rest
        for part in others:
            every = [place for places in part for place in places]
            _save_part(parts, merge(every), named, shared, implied)
        people = PersonDirectory.from_implied_persons(persons, implied)
        whole = Inventory(
            at=taken_at,
            name=name,
            facts=SightedFacts(),
            persons=people.by_id,
            agents={},
            credentials={},
            owners={},
            coverage=scanned,
            judged_at=taken_at or trail.started_at,
        )
        parts.save(whole, people)

    def _rank(self, number: int) -> _Rank:
        """Return the rank of a sync: the newest first."""
        sync = self._divided.syncs[number]
        return -sync.started_at, sync.source

    def _add_facts(self, number: int, facts: SightedFacts) -> None:
        """Divide facts of a sync by account, and write them."""
        connector = self._divided.syncs[number].connector
        for place, own in self._division.divide(facts, connector).items():
            self._divided.add_facts(number, place, own)
            self._sizes[place] += len(own.identities)
            self._connectors[place].add((connector, number))
            self._named[place].update(
                each.person
                for each in own.evidence
                if each.seen.written_by.is_trusted_author
            )

    def _add_assignments(self) -> None:
        """Add role assignments, except those that a newer sync of a connector replaces."""
        by_sync: dict[int, list[RoleAssignment]] = defaultdict(list)
        for number, each in self._assignments:
            connector, rank = self._divided.syncs[number].connector, self._rank(number)
            if self._newest.get((connector, each.permission_set), rank) >= rank:
                by_sync[number].append(each)
                self._assigned.add(each.account)
        for number, found in by_sync.items():
            self._add_facts(number, SightedFacts(assignments=tuple(found)))
        self._assignments.clear()

    def _pack(self, groups: Iterable[list[str]]) -> Iterator[list[list[str]]]:
        """Pack groups of places into parts."""
        part: list[list[str]] = []
        size = 0
        for places in groups:
            part.append(places)
            size += sum(self._sizes[place] for place in places)
            if size >= self.identities_per_part:
                yield part
                part, size = [], 0
        if part:
            yield part

    def _is_evidence_final(self, places: Collection[str]) -> bool:
        """Return whether a merge adds no evidence and drops none.

        It drops evidence where two syncs of one connector saw a subject, and adds that
        of assignments.
        """
        seen = {each for place in places for each in self._connectors[place]}
        return len({connector for connector, _ in seen}) == len(seen) and not any(
            place in self._assigned for place in places
        )


def _save_part(
    parts: InventoryParts,
    merged: Inventory,
    named: Collection[PersonId],
    shared: Sequence[Policy],
    implied: ImpliedPersons,
) -> None:
    """Collect the owners of a part, and write it."""
    records = collect_ownership_records(merged, named, shared)
    implied.add(records.list_evidence())
    parts.add(merged, records.records, records.own_records)
