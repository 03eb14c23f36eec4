"""Record of the last export of a checkpoint to each destination; no evidence."""

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import (
    make_store_folder,
    mark_crash_point,
    read_file,
    write_file,
)
from answerable.store.store_layout import StoreLayout


class CheckpointExport(msgspec.Struct, frozen=True):
    """Last successful export to a destination.

    Attributes:
        at: UTC nanoseconds.
        size: Entries of the log in the checkpoint.
    """

    at: int
    size: int


def load_checkpoint_exports(layout: StoreLayout) -> dict[str, CheckpointExport]:
    """Load the last export to each destination; empty if unknown."""
    try:
        data = read_file(layout.checkpoint_exports)
        return msgspec.json.decode(data, type=dict[str, CheckpointExport])
    except (FileNotFoundError, EnvironmentFailure, ValueError):
        return {}


def save_checkpoint_export(
    layout: StoreLayout, destination: str, export: CheckpointExport
) -> None:
    """Save an export to a destination.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    mark_crash_point("export-sent")
    exports = load_checkpoint_exports(layout) | {destination: export}
    make_store_folder(layout.checkpoint_exports.parent)
    write_file(layout.checkpoint_exports, msgspec.json.encode(exports) + b"\n")
    mark_crash_point("export-recorded")
