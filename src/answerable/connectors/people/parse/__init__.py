"""Parse a directory export into people, with their managers and sponsors."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.connectors.people.declaration import LEAVERS, MANAGERS, PEOPLE
from answerable.connectors.people.parse.csv_table import iterate_csv_entries
from answerable.connectors.people.parse.directory_entry import (
    DirectoryEntry,
    UnreadEntry,
)
from answerable.connectors.people.parse.directory_json import iterate_json_entries
from answerable.model.errors import IdError, UsageError
from answerable.model.ids import PersonId, build_person_id, normalise_handle
from answerable.model.person import Person
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import ReadProblem, ReadProblemKind, SightedFacts

_MOST_PROBLEMS = 100


def parse(
    data: bytes, place: str, *, source: str, now: int
) -> tuple[SightedFacts, tuple[ReadProblem, ...], tuple[str, ...]]:
    """Parse an export: people, unreadable entries, and the kinds that all entries have.

    Presence or a manager that any entry lacks makes the kind not collected: the person
    then counts as present.

    Args:
        data: The whole file.
        place: Its path, for messages.
        source: The sync's source.
        now: UTC nanoseconds.

    Raises:
        UsageError: The file has no user.
        ParseError: It is not JSON, or not a table.
    """
    json_form = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    read = iterate_json_entries if json_form else iterate_csv_entries
    entries, problems = _separate_unread(read(data, place))
    people = _PeopleByAddress(entries)
    found = tuple(people.iterate_people(source, now))
    problems += people.problems
    if not found and not problems:
        raise UsageError(
            f"{place} contains no users",
            "expected an export of a directory; docs/ownership.md lists the formats",
        )
    collected = [PEOPLE] if found and not problems else []
    if found and all(entry.present is not None for entry in entries):
        collected.append(LEAVERS)
    if found and people.has_managers and not people.unresolved:
        collected.append(MANAGERS)
    return SightedFacts(persons=found), _limit_problems(problems), tuple(collected)


def _separate_unread(
    results: Iterable[DirectoryEntry | UnreadEntry],
) -> tuple[list[DirectoryEntry], list[ReadProblem]]:
    """Separate the entries from those that could not be read."""
    entries: list[DirectoryEntry] = []
    problems: list[ReadProblem] = []
    for each in results:
        if isinstance(each, UnreadEntry):
            problems.append(_build_problem(each.place, each.reason))
        else:
            entries.append(each)
    return entries, problems


def _build_problem(place: str, reason: str) -> ReadProblem:
    """Build the problem of an invalid entry."""
    return ReadProblem(ReadProblemKind.INVALID, place, reason)


def _limit_problems(problems: list[ReadProblem]) -> tuple[ReadProblem, ...]:
    """Keep the first problems, and count the others."""
    if len(problems) <= _MOST_PROBLEMS:
        return tuple(problems)
    kept, left = problems[:_MOST_PROBLEMS], problems[_MOST_PROBLEMS:]
    reasons = Counter(each.what for each in left)
    return (
        *kept,
        *(
            _build_problem(left[0].place, f"{count} more entries: {reason}")
            for reason, count in reasons.items()
        ),
    )


class _PeopleByAddress:
    """People of an export by each of their addresses and ids."""

    def __init__(self, entries: Iterable[DirectoryEntry]) -> None:
        """Give each entry its person id: its first address, or login without one."""
        self.problems: list[ReadProblem] = []
        self.unresolved = 0
        self.has_managers = False
        self._entries: list[tuple[PersonId, DirectoryEntry]] = []
        self._ids: dict[str, PersonId] = {}
        for entry in entries:
            try:
                person = build_person_id(entry.addresses[0])
            except (IdError, IndexError):
                reason = "a user has no address and no login"
                self.problems.append(_build_problem(entry.place, reason))
                continue
            self._entries.append((person, entry))
            for name in (*entry.addresses, entry.id):
                if name:
                    self._ids.setdefault(normalise_handle(name), person)

    def iterate_people(self, source: str, now: int) -> Iterator[Person]:
        """Yield each person with aliases, manager and sponsors."""
        for person, entry in self._entries:
            names = dict.fromkeys(normalise_handle(n) for n in entry.addresses)
            known = Person(
                id=person,
                name=entry.name,
                aliases=tuple(names),
                team=False,
                alive=entry.present is not False,
                seen=FactProvenance(source, entry.place, WrittenBy.PLATFORM, now),
            )
            managers = self._resolve_people(entry.managers)
            self.has_managers |= bool(entry.managers)
            yield replace(
                known,
                manager=managers[0] if managers else "",
                sponsors=self._resolve_people(entry.sponsors),
            )

    def _resolve_people(self, references: Iterable[str]) -> tuple[PersonId, ...]:
        """Return the people that ids and addresses name; others are counted."""
        found: list[PersonId] = []
        for each in references:
            known = self._ids.get(normalise_handle(each))
            if known is None and "@" in each:
                try:
                    known = build_person_id(each)
                except IdError:
                    known = None
            if known is None:
                self.unresolved += 1
            else:
                found.append(known)
        return tuple(found)
