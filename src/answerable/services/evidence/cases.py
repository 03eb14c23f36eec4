"""Read and append the records of investigation cases in a store."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from answerable.connectors.formats.secrets_in_text import contains_written_secret
from answerable.evidence.case_records import (
    CASE_RECORD,
    CaseRecord,
    CaseRecordKind,
    decode_case_record,
    encode_case_record,
)
from answerable.evidence.log_entries import ObjectEntry, list_removed_objects
from answerable.model.errors import AmbiguousError, UsageError, VerificationError
from answerable.store.store import EvidenceStore

ERASED_TITLE = "(title erased by policy)"
UNKNOWN_TITLE = "(title not known)"
DAMAGE_HINT = "restore the file from a backup; list the cases: answerable case list"
MAX_TEXT = 10_000  # characters of a note
_ID_LENGTH = 12
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")  # ids, no secrets


@dataclass(frozen=True, slots=True)
class LoggedCaseRecord:
    """Record of a case, and the index of its entry in the log."""

    record: CaseRecord
    index: int


@dataclass(slots=True)
class InvestigationCase:
    """Investigation case, as its records say.

    Attributes:
        records: Records in log order; the first one opened the case, unless it was
            erased because it named a person, or is damaged.
        missing_title: Title without the record that opened the case.
    """

    id: str
    records: list[LoggedCaseRecord] = field(default_factory=list)
    missing_title: str = ERASED_TITLE

    @property
    def title(self) -> str:
        """Title of the case."""
        first = self.records[0].record
        return first.text if first.kind is CaseRecordKind.OPENED else self.missing_title

    @property
    def is_closed(self) -> bool:
        """Return whether the case was closed."""
        return any(e.record.kind is CaseRecordKind.CLOSED for e in self.records)

    @property
    def assignee(self) -> str:
        """Return the person that the case was last assigned to, empty for none."""
        assigned = [
            e.record for e in self.records if e.record.kind is CaseRecordKind.ASSIGNED
        ]
        return assigned[-1].value if assigned else ""

    def list_values(self, kind: CaseRecordKind) -> list[str]:
        """List the ids of the added items of a kind, each once."""
        values = (e.record.value for e in self.records if e.record.kind is kind)
        return list(dict.fromkeys(values))


@dataclass(frozen=True, slots=True)
class StoredCases:
    """Cases of a store, oldest first.

    Attributes:
        cases: The cases, with their readable records.
        damaged: Records that cannot be read, by their files; of any case, or of none.
    """

    cases: list[InvestigationCase]
    damaged: tuple[str, ...]


class UnknownCaseError(UsageError):
    """Id or title that no case has."""


def read_cases(store: EvidenceStore) -> StoredCases:
    """Read all cases of a store; a damaged record is named."""
    damaged: list[str] = []
    found: dict[str, InvestigationCase] = {}
    entries = store.log.entries()
    removed = list_removed_objects(entries)
    # The record that opened a case may be erased; the others still belong to it.
    any_erased = any(
        isinstance(each, ObjectEntry)
        and each.of == CASE_RECORD
        and each.sha256 in removed
        for each in entries
    )
    for logged in store.list_objects(CASE_RECORD):
        try:
            record = decode_case_record(store.get_object(logged.digest))
        except (UsageError, VerificationError) as error:
            missing = isinstance(error, UsageError)
            gone = "is missing" if missing else "is damaged or of a later release"
            damaged.append(f"objects/{logged.digest} {gone}")
            continue
        opened = record.kind is CaseRecordKind.OPENED
        if opened or any_erased or damaged or record.case in found:
            title = UNKNOWN_TITLE if damaged else ERASED_TITLE
            case = InvestigationCase(record.case, missing_title=title)
            case = found.setdefault(record.case, case)
            case.records.append(LoggedCaseRecord(record, logged.index))
    return StoredCases(list(found.values()), tuple(damaged))


def find_case(store: EvidenceStore, text: str) -> InvestigationCase:
    """Find a case by its id, its title, or a unique part of them.

    Raises:
        UnknownCaseError: There is none.
        AmbiguousError: Several cases match.
        VerificationError: A record is damaged, which may be one of this case.
    """
    asked = text.strip()
    stored = read_cases(store)
    if stored.damaged:
        raise VerificationError(
            f"a record of a case cannot be read: {stored.damaged[0]}", DAMAGE_HINT
        )
    cases = stored.cases
    exact = [case for case in cases if asked in (case.id, case.title)]
    found = exact or [
        case
        for case in cases
        if asked and (case.id.startswith(asked) or asked.lower() in case.title.lower())
    ]
    if not found:
        raise UnknownCaseError(
            f"unknown case (got {asked[:80]!r})", "list them: answerable case list"
        )
    if len(found) > 1:
        raise AmbiguousError(
            f"{asked[:80]!r} matches {len(found)} cases (expected one)",
            tuple(f"{case.id} {case.title}" for case in found),
        )
    return found[0]


def open_case(store: EvidenceStore, title: str, by: str, now: int) -> InvestigationCase:
    """Open a case.

    Raises:
        UsageError: The title is empty or too long, or contains a credential.
    """
    text = require_case_text(title, "title")
    seed = f"{now} {by} {text}".encode()
    case = InvestigationCase(hashlib.sha256(seed).hexdigest()[:_ID_LENGTH])
    append_case_records(store, case, [(CaseRecordKind.OPENED, "", text)], by, now)
    return case


def append_case_records(
    store: EvidenceStore,
    case: InvestigationCase,
    items: Sequence[tuple[CaseRecordKind, str, str]],
    by: str,
    now: int,
) -> None:
    """Append records (kind, value, text) to a case.

    Raises:
        UsageError: The case is closed.
    """
    if case.is_closed:
        raise UsageError(
            f"case {case.id} is closed", "open a new one: answerable case new TITLE"
        )
    for kind, value, text in items:
        record = CaseRecord(
            case=case.id, kind=kind, at=str(now), by=by, value=value, text=text
        )
        store.put_object(CASE_RECORD, encode_case_record(record), now)
        index = store.list_objects(CASE_RECORD)[-1].index
        case.records.append(LoggedCaseRecord(record, index))


def require_case_text(text: str, name: str) -> str:
    """Return a text that may be stored.

    Raises:
        UsageError: It is empty or too long, or contains a credential.
    """
    bare = text.strip()
    if not bare or len(bare) > MAX_TEXT:
        raise UsageError(
            f"the {name} has {len(bare):,} characters (expected 1 to {MAX_TEXT:,})"
        )
    if contains_written_secret(_KEY_ID.sub("", bare)):
        raise UsageError(
            f"the {name} contains a credential, or a text such as password=VALUE",
            "remove the value, or name the credential by its id: a store keeps no secret",
        )
    return bare
