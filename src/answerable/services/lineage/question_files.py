"""Write the rollups and the chains of a large store before the first question.

The files are derived, so a failure is ignored: the first question writes them again.
"""

from contextlib import suppress

from answerable.model.errors import AnswerableError
from answerable.model.time_units import MINUTE_NS
from answerable.store.large_stores import count_sealed_events, is_large_store
from answerable.store.store import EvidenceStore

# The chain file is written again for this part of new events, or after this time: the
# chains that did not change are copied.
_NEW_PART = 5
_MAX_AGE = 10 * MINUTE_NS


def write_question_files(store: EvidenceStore, stored: int, *, now: int) -> None:
    """Write the files that questions over a large store read; not for a small store.

    Args:
        store: Store of the events.
        stored: Number of events that this run stored.
        now: UTC nanoseconds.
    """
    if store.queries.has_index or not is_large_store(store):
        return
    # Imported for a large store alone: each run of a small one would take longer.
    from answerable.services.lineage.chain_cache import write_current_chain_file
    from answerable.store import chain_counts, chain_file, day_rollups
    from answerable.store.lineage_days import ISSUANCES, TOUCHED, open_lineage_days

    with suppress(AnswerableError):
        if not stored and chain_file.find_counted_chains(store) is not None:
            return  # after the same events, scans and statements
        day_rollups.write_rollups(store)
        open_lineage_days(store, ISSUANCES)
        open_lineage_days(store, TOUCHED)
        age = chain_file.find_chain_file_age(store, now)
        part = count_sealed_events(store) // _NEW_PART
        if stored >= part or age is None or age > _MAX_AGE:
            write_current_chain_file(store)
            chain_counts.write_chain_counts(store)


def rewrite_question_files(store: EvidenceStore) -> None:
    """Write these files after a removal, and remove copies of the removed rows.

    The chains of a small store are derived by its next question.
    """
    if store.queries.has_index:
        return
    from answerable.services.lineage.chain_cache import write_current_chain_file
    from answerable.store import chain_counts, chain_writer
    from answerable.store.day_files import rewrite_day_files
    from answerable.store.day_rollups import ROLLUPS
    from answerable.store.lineage_days import TOUCHED
    from answerable.store.resource_days import RESOURCES, has_resource_days

    is_large = False
    with suppress(AnswerableError):
        is_large = is_large_store(store)
    rewrite_day_files(store, RESOURCES, kept=is_large and has_resource_days(store))
    rewrite_day_files(store, TOUCHED, kept=is_large)
    rewrite_day_files(store, ROLLUPS, kept=True)
    with suppress(AnswerableError):
        if is_large:
            write_current_chain_file(store)
            chain_counts.write_chain_counts(store)
    with suppress(AnswerableError):
        chain_writer.remove_outdated_chains(store)
        store.queries.refresh_catalogue(most_only=False)
