"""Record of the last export of a checkpoint to each destination; no evidence."""

from contextlib import suppress

import msgspec

from answerable.model.errors import VerificationError
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
    """Load the last export to each destination.

    Raises:
        VerificationError: The file is damaged, so the exports are not known.
        EnvironmentFailure: The file cannot be read.
    """
    try:
        data = read_file(layout.checkpoint_exports)
        return msgspec.json.decode(data, type=dict[str, CheckpointExport])
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise VerificationError(
            f"{layout.checkpoint_exports.relative_to(layout.root)} is damaged"
        ) from error


def save_checkpoint_export(
    layout: StoreLayout, destination: str, export: CheckpointExport
) -> None:
    """Save an export to a destination. A damaged file is written again.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    mark_crash_point("export-sent")
    exports: dict[str, CheckpointExport] = {}
    with suppress(VerificationError):
        exports = load_checkpoint_exports(layout)
    exports[destination] = export
    make_store_folder(layout.checkpoint_exports.parent)
    write_file(layout.checkpoint_exports, msgspec.json.encode(exports) + b"\n")
    mark_crash_point("export-recorded")
