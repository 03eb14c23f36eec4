"""Steps of a repair of the store."""

from dataclasses import dataclass
from pathlib import Path

from answerable.store.durable_files import (
    make_store_folder,
    sync_folder,
    translate_os_errors,
)
from answerable.store.mention_search import SET_ASIDE


@dataclass(frozen=True, slots=True)
class RepairStep:
    """One finding of a repair.

    Attributes:
        action: `delete`, `set aside`, `restore`, `rebuild`, `missing` or `sweep`.
        target: File, relative to the store; an absolute path of a spill folder.
        detail: Reason, and next step.
        failed: Whether something is still missing.
    """

    action: str
    target: str
    detail: str
    failed: bool = False


def build_missing_step(name: str) -> RepairStep:
    """Build the step for a file that is still missing."""
    hint = "restore it from a backup: answerable store repair --from FOLDER"
    return RepairStep("missing", name, hint, failed=True)


def move_aside(root: Path, file: Path) -> None:
    """Move a damaged file to the folder of such files.

    Raises:
        EnvironmentFailure: The disk failed.
    """
    aside = root / SET_ASIDE
    make_store_folder(aside)
    with translate_os_errors("move", file):
        file.replace(aside / f"{file.parent.name}-{file.name}")
        sync_folder(aside)
        sync_folder(file.parent)
