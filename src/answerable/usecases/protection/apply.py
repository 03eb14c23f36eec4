"""Apply a protection plan, complete an interrupted one, and undo it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.model.errors import ParseError, UsageError
from answerable.services.protection.gateway_references import (
    has_new_references,
    needs_secret,
)
from answerable.services.protection.os_keyring import PREFIX
from answerable.services.protection.protection_plan import (
    ProtectionPlan,
    UndoOutcome,
    UndoResult,
)
from answerable.services.protection.protection_state import (
    Fault,
    FileLayer,
    Journal,
    ProtectedFile,
    ProtectionRecord,
    ProtectionState,
    Step,
    digest_of,
    list_missing_folders,
    read_present,
)
from answerable.services.protection.three_way_merge import merge_undo
from answerable.services.protection.tool_hooks import HOOKS, remove_hooks

_FORMATS = {
    ".toml": DocumentFormat.TOML,
    ".yaml": DocumentFormat.YAML,
    ".yml": DocumentFormat.YAML,
}
_CHANGED = "the file has changed at a place that protect changed"
_HAD_KEYS = "the file was missing and is written again, because it contains keys"
_STILL_REFERS = (
    "a renamed or copied entry still starts the gateway: restore its name or remove "
    "the entry, then run unprotect again"
)


@dataclass(frozen=True, slots=True)
class AppliedProtection:
    """Result of applying a plan.

    Attributes:
        written: Changed files.
        left: Files that another program changed in between; they keep its content.
    """

    written: tuple[Path, ...]
    left: tuple[Path, ...]


def _ignore_step(_: str) -> None:
    """Do nothing at a durable step."""


def _build_protection_state(state_folder: Path, fault: Fault) -> ProtectionState:
    """Return the state of `protect` in a state folder."""
    return ProtectionState(state_folder / "protection", fault)


def apply_plan(
    plan: ProtectionPlan, state_folder: Path, fault: Fault = _ignore_step
) -> AppliedProtection:
    """Write secrets, then the configuration, then the clients' files.

    Args:
        plan: The plan.
        state_folder: State folder, which keeps the originals.
        fault: Called before each durable step with its name, for tests.

    Raises:
        UsageError: A file is not as it was when the plan was made.
        EnvironmentFailure: A file cannot be read or written.
    """
    state = _build_protection_state(state_folder, fault)
    places = (state.folder / "lock", *(c.path for c in plan.changes))
    places += tuple(s.path for s in plan.secrets if not str(s.path).startswith(PREFIX))
    missing = [each for path in places for each in list_missing_folders(path)]
    state.sealing_key = next(
        (
            str(secret.path).partition("/")[0] + "/backups"
            for secret in plan.secrets
            if str(secret.path).startswith(PREFIX)
        ),
        "",
    )
    with state.lock():
        state.recover()
        if not plan.changes:
            return AppliedProtection((), ())
        for change in plan.changes:
            before = change.before if change.exists else None
            if read_present(change.path) != before:
                state.remove_if_unused(missing)
                raise UsageError(
                    f"{change.path} has changed since the plan was made", "run it again"
                )
        record = state.read_record()
        record.folders = list(dict.fromkeys((*record.folders, *missing)))
        record.sealing_key = state.sealing_key or record.sealing_key
        steps: list[Step] = []
        for secret in plan.secrets:
            present = read_present(secret.path)
            step = _add_layer(
                state,
                record,
                secret.path,
                secret.client,
                present,
                secret.value.encode(),
            )
            _find_file(record, secret.path).is_secret = True
            steps.append(step)
        for change in plan.changes:
            before = change.before if change.exists else None
            steps.append(
                _add_layer(
                    state, record, change.path, change.client, before, change.after
                )
            )
            if change.target is not None:
                _find_file(record, change.path).target = str(change.target)
        left = state.run(Journal(steps, record))
    written = tuple(c.path for c in plan.changes if str(c.path) not in left)
    return AppliedProtection(written, tuple(map(Path, left)))


def recover(state_folder: Path) -> str:
    """Complete or roll back an interrupted run; return `completed`, `rolled back` or ``."""
    if not (state_folder / "protection").is_dir():
        return ""
    state = _build_protection_state(state_folder, _ignore_step)
    with state.lock():
        return state.recover()


def list_protected_files(state_folder: Path) -> tuple[Path, ...]:
    """List the files that are changed now."""
    record = _build_protection_state(state_folder, _ignore_step).read_record()
    return tuple(Path(file.path) for file in record.files)


def undo(
    state_folder: Path, clients: tuple[str, ...] = (), fault: Fault = _ignore_step
) -> tuple[UndoResult, ...]:
    """Undo the changes of some clients, of all by default.

    Files are restored byte for byte; where a client wrote one again, its edits stay.
    The configuration goes with the last client. A file that would still refer to the
    gateway is kept, with the configuration, its secrets and its original; so are the
    secrets and originals with a configuration that has changed.

    Raises:
        EnvironmentFailure: A file cannot be read or written.
    """
    state = _build_protection_state(state_folder, fault)
    if not state.folder.is_dir():
        return ()
    with state.lock():
        state.recover()
        record = state.read_record()
        steps: list[Step] = []
        results: list[UndoResult] = []
        gone: list[ProtectedFile] = []
        configs = [Path(file.path) for file in record.files if not file.client]
        for file in _order_for_undo(record):
            if not _is_due(file, record, gone, clients):
                continue
            is_kept = False
            for place in _list_places(file):
                if read_present(Path(place.path)) is None:
                    result, step = _undo_missing_file(state, place, record)
                else:
                    result, step = _undo_file(state, place, configs)
                results.append(result)
                if step is not None:
                    steps.append(step)
                is_kept = is_kept or result.outcome is UndoOutcome.KEPT
            if not is_kept:
                gone.append(file)
        record.files = [file for file in record.files if file not in gone]
        if steps or gone:
            state.run(Journal(steps, record))
        state.remove_if_unused()
    return tuple(results)


def _list_places(file: ProtectedFile) -> tuple[ProtectedFile, ...]:
    """List the places of a changed file: two if a link to it has been replaced."""
    target = Path(file.target)
    if not file.target or Path(file.path).resolve() == target or not target.is_file():
        return (file,)
    return file, ProtectedFile(file.target, file.client, file.layers)


def _order_for_undo(record: ProtectionRecord) -> Iterator[ProtectedFile]:
    """Yield clients' files, then the configuration, then secrets."""
    yield from (f for f in record.files if f.client and not f.is_secret)
    yield from (f for f in record.files if not f.client)
    yield from (f for f in record.files if f.is_secret)


def _is_due(
    file: ProtectedFile,
    record: ProtectionRecord,
    gone: list[ProtectedFile],
    clients: tuple[str, ...],
) -> bool:
    """Return whether a file is to be undone, given the ones that are."""
    remaining = {
        other.client
        for other in record.files
        if other.client and not other.is_secret and other not in gone
    }
    if not file.client:
        return not remaining
    if file.is_secret:
        if not remaining and any(
            not other.client and other not in gone for other in record.files
        ):
            return False  # the configuration is kept, and names its secrets
        return file.client not in remaining and not any(
            _needs_secret(other, Path(file.path))
            for other in record.files
            if other.client and not other.is_secret and other not in gone
        )
    return not clients or file.client in clients


def _needs_secret(file: ProtectedFile, secret: Path) -> bool:
    """Return whether a client's file, as it is now, needs a stored secret."""
    path = Path(file.path)
    return needs_secret(read_present(path) or b"", _format_of(path), secret)


def _format_of(path: Path) -> DocumentFormat:
    """Return the format of a client's file by its name."""
    return _FORMATS.get(path.suffix, DocumentFormat.JSON)


@dataclass(frozen=True, slots=True)
class _UndoneFile:
    """Content of a file after the undo; None for no file."""

    content: bytes | None
    outcome: UndoOutcome


def _undo_missing_file(
    state: ProtectionState, file: ProtectedFile, record: ProtectionRecord
) -> tuple[UndoResult, Step | None]:
    """Undo a file that was moved or deleted since.

    Its original is written again if keys were moved out of it: they would exist nowhere
    else after the undo.
    """
    path, original = Path(file.path), file.layers[0].before
    moved = any(e.is_secret and e.client == file.client for e in record.files)
    if file.client and not file.is_secret and moved and original:
        step = Step(file.path, "", original)
        return UndoResult(path, UndoOutcome.RESTORED, _HAD_KEYS), step
    return UndoResult(
        path, UndoOutcome.REMOVED, "the file was removed after protect"
    ), None


def _undo_file(
    state: ProtectionState, file: ProtectedFile, configs: list[Path]
) -> tuple[UndoResult, Step | None]:
    """Undo one file, or keep it where it has changed or would still need the gateway."""
    path, form = Path(file.path), _format_of(Path(file.path))
    present = read_present(path) or b""
    original = state.get(file.layers[0].before)

    def refers(undone: _UndoneFile | None) -> bool:
        if undone is None or undone.outcome is not UndoOutcome.MERGED:
            return False
        merged = undone.content or b""
        return bool(file.client) and has_new_references(original, merged, form, configs)

    undone = _undo_layers(state, file, present)
    detail = _CHANGED
    if (undone is None or refers(undone)) and file.client in HOOKS:
        undone = _undo_hooks(state, file, present) or undone
    if refers(undone):
        undone, detail = None, _STILL_REFERS
    if undone is None:
        return UndoResult(path, UndoOutcome.KEPT, detail), None
    new = "" if undone.content is None else state.keep(undone.content)
    return UndoResult(path, undone.outcome), Step(file.path, digest_of(present), new)


def _undo_layers(
    state: ProtectionState, file: ProtectedFile, present: bytes
) -> _UndoneFile | None:
    """Undo the layers of one file, the last first; None where it has changed."""
    content, outcome = present, UndoOutcome.RESTORED
    for layer in reversed(file.layers):
        before, after = state.get(layer.before), state.get(layer.after)
        if digest_of(content) == layer.after:
            if before is None:
                return _UndoneFile(None, UndoOutcome.REMOVED)
            content = before
            continue
        if before is None:
            return None
        form = _format_of(Path(file.path))
        undone = merge_undo(before, after or b"", content, form)
        if undone is None:
            return None
        content, outcome = undone, UndoOutcome.MERGED
    return _UndoneFile(content, outcome)


def _undo_hooks(
    state: ProtectionState, file: ProtectedFile, present: bytes
) -> _UndoneFile | None:
    """Remove only the hook entries from settings; None where there are none."""
    original = state.get(file.layers[0].before)
    ours = state.get(file.layers[-1].after) or b"{}"
    try:
        content = remove_hooks(original or b"{}", ours, present, file.client)
        if content == present:
            return None
        left = parse_document(content, DocumentFormat.JSON, "").root.raw
    except ParseError:
        return None
    if original is None and left == {}:
        return _UndoneFile(None, UndoOutcome.REMOVED)
    return _UndoneFile(content, UndoOutcome.MERGED)


def _add_layer(
    state: ProtectionState,
    record: ProtectionRecord,
    path: Path,
    client: str,
    before: bytes | None,
    after: bytes,
) -> Step:
    """Keep both contents of a change, and return its step."""
    old = state.keep(before) if before is not None else ""
    new = state.keep(after)
    known = [file for file in record.files if file.path == str(path)]
    if known:
        known[0].layers.append(FileLayer(old, new))
    else:
        record.files.append(ProtectedFile(str(path), client, [FileLayer(old, new)]))
    return Step(str(path), old, new)


def _find_file(record: ProtectionRecord, path: Path) -> ProtectedFile:
    """Return the record of a file that has one."""
    return next(file for file in record.files if file.path == str(path))
