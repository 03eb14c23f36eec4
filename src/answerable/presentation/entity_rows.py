"""Collect the rows of `show`: facts about one subject, and links to other entities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from answerable.model.agent import FactStatus
from answerable.model.documents.show import ShowItem
from answerable.model.ids import PersonId
from answerable.model.inventory import Inventory
from answerable.model.person import Person
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.presentation.answer_coverage import select_uncollected_data
from answerable.presentation.coverage_text import describe_collecting_commands
from answerable.presentation.inventory_items import format_time

FACT, SUBJECT = "fact", "is"  # kind of a fact; relation of the subject to itself
MISSING, NONE = "missing", "none"
# Order of rows: facts, then the chain from person to resource, then events.
KINDS = (
    FACT,
    "person",
    "agent",
    "tool",
    "identity",
    "credential",
    "resource",
    "event",
    "decision",
)
_KIND_BY_PREFIX = {
    "agent:": "agent",
    "tool:": "tool",
    "cred:": "credential",
    "person:": "person",
}
_PLATFORM_WRITERS = (WrittenBy.PLATFORM, WrittenBy.MEDIATOR)


@dataclass(frozen=True, slots=True)
class LinkEvidence:
    """Evidence for a fact or link: status of a hop, source, possible author."""

    status: str
    source: str
    written_by: str = ""

    @classmethod
    def from_scanned_fact(
        cls, seen: FactProvenance, status: str = ""
    ) -> "LinkEvidence":
        """Derive the evidence of a scanned fact; a platform's own is observed."""
        believed = seen.written_by in _PLATFORM_WRITERS
        stated = FactStatus.OBSERVED if believed else FactStatus.DECLARED
        source = seen.place or seen.source
        return cls(status or stated.value, source, seen.written_by.value)


@dataclass(slots=True)
class EntityRows:
    """Rows about one subject, in the order of `KINDS`.

    Attributes:
        subject: Id of the subject.
        merged_ids: Other ids of a person that statements merged into the subject.
        person: The person with the facts of all these ids; None without a merge.
        is_scanned: Whether a scan found the subject; else its links are unknown.
        missing: Coverage words of the data that rows lack.
    """

    inventory: Inventory
    subject: str
    merged_ids: tuple[PersonId, ...] = ()
    person: Person | None = None
    is_scanned: bool = False
    missing: set[str] = field(default_factory=set)
    _rows: dict[tuple[str, str, str | None], ShowItem] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        relation: str,
        value: str | None,
        evidence: LinkEvidence,
        detail: str = "",
    ) -> None:
        """Add a row; the first row of a relation and value stays."""
        row: ShowItem = {
            "subject": self.subject,
            "kind": kind,
            "relation": relation,
            "value": value,
            "detail": detail,
            "status": evidence.status,
            "source": evidence.source,
            "written_by": evidence.written_by,
        }
        self._rows.setdefault((kind, relation, value), row)

    def add_facts(self, facts: Mapping[str, str], evidence: LinkEvidence) -> None:
        """Add a row for each fact that has a value."""
        for name, value in facts.items():
            if value:
                self.add(FACT, name, value, evidence)

    def add_time(self, name: str, time_ns: int, evidence: LinkEvidence) -> None:
        """Add a time; `missing` if it was not collected."""
        if time_ns:
            self.add(FACT, name, format_time(time_ns), evidence)
        else:
            self.add(
                FACT, name, None, LinkEvidence(MISSING, "the platform's record of it")
            )

    def close(self, kind: str, relation: str, source: str) -> None:
        """Add a `none` or `missing` row if a relation has no link.

        Args:
            source: Data that would tell; empty if all of it was collected.
        """
        if not any(key[:2] == (kind, relation) for key in self._rows):
            status = MISSING if source else NONE
            self.add(kind, relation, None, LinkEvidence(status, source))

    def end_scanned_relation(
        self, kind: str, relation: str, words: Sequence[str], source: str = ""
    ) -> None:
        """Add a `none` or `missing` row if a relation that scans supply has no link.

        Args:
            words: Coverage words of the data that it depends on.
            source: Data that would tell; empty if only that of the words would.
        """
        lacking = select_uncollected_data(words, self.inventory)
        self.missing.update(lacking)
        unscanned = "" if self.is_scanned else "a scan that finds the subject"
        self.close(
            kind, relation, source or describe_collecting_commands(lacking) or unscanned
        )

    def has_link_to(self, value: str) -> bool:
        """Return whether some row already links to this entity."""
        return any(key[2] == value for key in self._rows)

    def list_rows(self) -> list[ShowItem]:
        """List the row of the subject, then the others, grouped by kind."""
        return sorted(
            self._rows.values(),
            key=lambda row: (row["relation"] != SUBJECT, KINDS.index(row["kind"])),
        )


def get_id_kind(key: str) -> str:
    """Return the kind of an inventory id; an id without our prefix is an identity."""
    found = (kind for prefix, kind in _KIND_BY_PREFIX.items() if key.startswith(prefix))
    return next(found, "identity")
