"""Mistakes of readers, joins and stores, planted to test the laws over log records."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import pytest

from answerable.connectors import log_reader
from answerable.connectors.formats import log_entry
from answerable.connectors.formats.log_format import make_event_from_row
from answerable.lineage import chain_stitching, issuance_path
from answerable.model.event import AuditEvent
from answerable.model.ids import build_event_id
from answerable.model.lineage import CredentialIssuance, LineageChain
from answerable.store import lineage_facts
from answerable.store.deduplication import KnownEventIds

Plant = Callable[[pytest.MonkeyPatch], None]


def last_stored_issuance_wins(patch: pytest.MonkeyPatch) -> None:
    """Of two records of one issuance, the join uses the one that was stored last."""
    read = lineage_facts.read_credential_issuances

    def read_in_order_of_storage(
        store: Any, *given: Any, **more: Any
    ) -> list[CredentialIssuance]:
        query = "SELECT lower(hex(event_id)), ingest_time FROM events"
        stored = dict(store.run_query(query))
        return sorted(read(store, *given, **more), key=lambda e: stored[e.event])

    def select_last(issuances: Sequence[CredentialIssuance]) -> dict[str, Any]:
        return {each.credential: each for each in issuances}

    patch.setattr(lineage_facts, "read_credential_issuances", read_in_order_of_storage)
    patch.setattr(issuance_path, "select_best_issuance_per_credential", select_last)


def _read_events(batch: Any) -> list[AuditEvent]:
    """Read the events of a batch, which has rows of their fields."""
    return [make_event_from_row(each) for each in batch.events]


def _make_row(event: AuditEvent) -> tuple[Any, ...]:
    """Make the row of an event's fields again."""
    return tuple(getattr(event, each.name) for each in fields(event))


def older_files_are_skipped(patch: pytest.MonkeyPatch) -> None:
    """A reader skips records that are older than a file which sorts before theirs."""
    read = log_reader.read_without_subprocess

    def read_newer(*given: Any, **more: Any) -> Iterator[Any]:
        newest, place, before = 0, "", 0
        for batch in read(*given, **more):
            if batch.place != place:
                place, before = batch.place, newest
            events = [e for e in _read_events(batch) if e.event_time >= before]
            newest = max([newest, *(each.event_time for each in events)])
            yield replace(batch, events=tuple(map(_make_row, events)))

    patch.setattr(log_reader, "read_without_subprocess", read_newer)


def file_name_is_the_account(patch: pytest.MonkeyPatch) -> None:
    """The name of a file is the scope of its events, and part of their ids."""
    make = log_reader._LogFileReader._make_batch

    def make_with_scope(self: Any, problems: Any) -> Any:
        batch = make(self, problems)
        scope = batch.place.rpartition("/")[2]
        events = tuple(
            _make_row(
                replace(
                    each,
                    scope=scope,
                    event_id=build_event_id(
                        each.event_time, each.source, scope, each.event_id
                    ),
                )
            )
            for each in _read_events(batch)
        )
        return replace(batch, events=events)

    patch.setattr(log_reader._LogFileReader, "_make_batch", make_with_scope)


def late_records_join_nothing(patch: pytest.MonkeyPatch) -> None:
    """Issuances are read once; those that are stored later join nothing."""
    patch.setattr(
        lineage_facts,
        "read_lineage_facts",
        _remember_first_per_store(lineage_facts.read_lineage_facts),
    )


def _remember_first_per_store(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    known: dict[object, Any] = {}

    def read_once(store: Any) -> Any:
        place = store.layout.root
        if place not in known:
            known[place] = read(store)
        fresh = read(store)
        return replace(fresh, issuances=known[place].issuances)

    return read_once


def id_has_the_place(patch: pytest.MonkeyPatch) -> None:
    """The id of an event depends on how often its record was read before."""
    build, count = log_entry.build_event_id, iter(range(10**9))

    def build_from_place(when: int, source: str, scope: str, native: bytes) -> bytes:
        return build(when, source, scope, native + b"%d" % next(count))

    patch.setattr(log_entry, "build_event_id", build_from_place)


def batch_has_no_duplicates(patch: pytest.MonkeyPatch) -> None:
    """Records are compared with stored ones, but not with those of their own batch."""
    split = KnownEventIds.split_new_events

    def split_each(self: Any, events: Sequence[Any]) -> Any:
        found = [split(self, [event]) for event in events]
        return (
            [e for fresh, _, _ in found for e in fresh],
            sum(duplicate for _, duplicate, _ in found),
            [e for _, _, conflicts in found for e in conflicts],
        )

    patch.setattr(KnownEventIds, "split_new_events", split_each)


def conflict_is_stored_each_time(patch: pytest.MonkeyPatch) -> None:
    """A record with the id of another one is compared with the first of them only."""
    split = KnownEventIds.split_new_events

    def split_by_first(self: Any, events: Sequence[Any]) -> Any:
        find = self._find_stored_digests

        def find_first(suspects: Sequence[Any]) -> set[Any]:
            first: dict[bytes, bytes] = {}
            for key, digest in sorted(find(suspects)):
                first.setdefault(key, digest)
            return set(first.items())

        self._find_stored_digests = find_first
        try:
            return split(self, events)
        finally:
            del self._find_stored_digests

    patch.setattr(KnownEventIds, "split_new_events", split_by_first)


def call_replaces_issuance(patch: pytest.MonkeyPatch) -> None:
    """The chain of a gateway's call replaces that of the credential's issuance."""

    def take_call(issued: LineageChain, called: LineageChain) -> LineageChain:
        return called

    patch.setattr(chain_stitching, "combine_chains", take_call)


def unnamed_caller_wins(patch: pytest.MonkeyPatch) -> None:
    """Of two records of one issuance, the join uses the one that names less."""
    key = issuance_path._get_issuance_preference_key

    def reverse(issuance: CredentialIssuance) -> tuple[object, ...]:
        person, credential, identity, *rest = key(issuance)
        return (not person, not credential, not identity, *rest)

    patch.setattr(issuance_path, "_get_issuance_preference_key", reverse)


# Mistakes that a law has to find, each with sources whose records show it.
AWS = ("cloudtrail",)
JOINED = ("cloudtrail", "k8s-audit", "github-audit", "gateway", "sts")
ORDER = {
    last_stored_issuance_wins: AWS,
    older_files_are_skipped: ("k8s-audit",),
    file_name_is_the_account: ("github-audit",),
    late_records_join_nothing: AWS,
}
REPETITION = {
    id_has_the_place: ("okta",),
    file_name_is_the_account: ("github-audit",),
    batch_has_no_duplicates: AWS,
    conflict_is_stored_each_time: ("k8s-audit",),
}
GROWTH = {
    call_replaces_issuance: ("k8s-audit", "gateway"),
    unnamed_caller_wins: AWS,
    last_stored_issuance_wins: AWS,
}
