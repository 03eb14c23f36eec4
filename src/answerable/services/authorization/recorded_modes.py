"""Record the enforcement modes of each applied configuration in the store's log."""

import msgspec

from answerable.model.config import Config
from answerable.model.enforcement_modes import SCHEMA, RecordedModes, compare_modes
from answerable.model.errors import VerificationError
from answerable.store.store import EvidenceStore

MODES_KIND = "enforcement-modes"  # of the objects


def read_recorded_modes(store: EvidenceStore) -> RecordedModes | None:
    """Read the newest record; None where no configuration was recorded.

    Raises:
        VerificationError: The record was altered, or is of a later release.
    """
    logged = store.list_objects(MODES_KIND)
    if not logged:
        return None
    data = store.get_object(logged[-1].digest)
    try:
        recorded = msgspec.json.decode(data, type=RecordedModes)
    except (ValueError, RecursionError):
        raise VerificationError("an enforcement mode record is malformed") from None
    if recorded.schema != SCHEMA:
        raise VerificationError(
            "an enforcement mode record has a kind that this release does not support"
        )
    return recorded


def record_modes(
    store: EvidenceStore, config: Config, now: int
) -> tuple[RecordedModes, RecordedModes | None]:
    """Record the modes of a configuration, if they differ from the last record.

    Args:
        store: The store.
        config: Configuration that is applied.
        now: UTC nanoseconds.

    Returns:
        The modes, and the last record before; None for the first configuration.

    Raises:
        EnvironmentFailure: The store cannot be written.
        VerificationError: The last record was altered.
    """
    previous = read_recorded_modes(store)
    modes = compare_modes(config, previous, now)
    if previous is None or not modes.is_same_as(previous):
        store.put_object(MODES_KIND, msgspec.json.encode(modes, order="sorted"), now)
    return modes, previous
