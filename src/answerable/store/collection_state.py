"""State of scheduled sources: written by the collector, read by every answer.

`STORE/collector/sources.json` is no evidence: it says when each source was read last, and why
the last run failed. An answer whose source failed or is late then says so.
"""

from collections.abc import Sequence

import msgspec

from answerable.model.collection import SourceState
from answerable.store.durable_files import make_folder, read_regular_file, write_file
from answerable.store.store_layout import StoreLayout

_UNREADABLE = SourceState(
    "collector:",
    since=0,
    late_after=0,
    failed_at=1,
    failures=1,
    reason="its state in the store cannot be read",
)


def read_source_states(layout: StoreLayout) -> tuple[SourceState, ...]:
    """Read the state of each scheduled source; none where no collector ever ran.

    A file that cannot be read gives one failed source: unknown is no success.
    """
    try:
        data = read_regular_file(layout.collection)
        return msgspec.json.decode(data, type=tuple[SourceState, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return (_UNREADABLE,)


def write_source_states(layout: StoreLayout, states: Sequence[SourceState]) -> None:
    """Replace the states durably.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    make_folder(layout.collection.parent)
    write_file(layout.collection, msgspec.json.encode(states) + b"\n")
