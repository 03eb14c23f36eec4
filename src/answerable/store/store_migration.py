"""Upgrade the format of a store, one version at a time; the version is written last."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from answerable.model.errors import UsageError
from answerable.store import store_layout
from answerable.store.durable_files import mark_crash_point
from answerable.store.store_layout import StoreLayout

# From each format to the next. A step may be interrupted and run again.
MIGRATIONS: Mapping[int, Callable[[StoreLayout], None]] = MappingProxyType({})


def migrate_store(
    root: Path,
    migrations: Mapping[int, Callable[[StoreLayout], None]] = MIGRATIONS,
    target: int = store_layout.STORE_SCHEMA,
) -> tuple[int, int]:
    """Migrate a store to the format of this release.

    Returns:
        The format before and after.

    Raises:
        UsageError: There is no store.
        EnvironmentFailure: A newer release created it, or the disk fails.
    """
    if not store_layout.is_store_folder(root):
        raise UsageError(f"no store at {root}", "name it with --store DIR")
    layout = StoreLayout(root)
    before = version = store_layout.read_format(layout, target)
    while version < target:
        migrations[version](layout)
        mark_crash_point("migrate-converted")
        version += 1
        store_layout.write_format(layout, version)
        mark_crash_point("migrate-versioned")
    return before, version
