"""Fetch of the configuration file `answerable.yaml`."""

from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path, PurePath

from answerable.authorization.cedar.approved_schemas import NOTHING_APPROVED, Approved
from answerable.authorization.cedar.loader import Judge, read_rules
from answerable.authorization.cedar.validation import judge
from answerable.connectors.api_answer_file import probe_file, read_whole
from answerable.connectors.bounded_folder import show_path
from answerable.connectors.config.declaration import SPEC
from answerable.connectors.config.parse.config_faults import Fault
from answerable.connectors.config.parse.config_file import Reading, read_config
from answerable.connectors.config.parse.declared_facts import sight_config
from answerable.connectors.config.parse.policy_files import fault_of, named_by
from answerable.connectors.config.parse.yaml_nodes import MAX_BYTES
from answerable.connectors.formats.sighting_context import Frame
from answerable.connectors.user_path import expanded
from answerable.model.cedar_policy import NO_RULES, CedarFile, CedarRules
from answerable.model.connector import SyncContext
from answerable.model.errors import AnswerableError, UsageError
from answerable.model.sighting import Facts, Probe, Problem, ProblemKind, Sync

EXPECTED = "an `answerable.yaml`"
POLICIES = "Cedar policies"
MAX_POLICIES = 8 << 20  # bytes of one file
MAX_ALL_POLICIES = 32 << 20  # of all


def read_file(location: str) -> Reading:
    """Read a configuration with all of its faults.

    Raises:
        UsageError: It is missing or too large.
        EnvironmentRefused: It is not readable.
    """
    data = read_whole(location, EXPECTED, MAX_BYTES)
    path = expanded(location).absolute()
    return read_config(data, show_path(path), str(path.parent))


def read_policies(
    reading: Reading,
    before: CedarRules = NO_RULES,
    judged: Judge = judge,
    approved: Approved = NOTHING_APPROVED,
) -> Reading:
    """Read the policy files of a configuration, and add their faults to the reading.

    Args:
        reading: Reading of the configuration.
        before: Last read policies; unchanged files are not read again.
        judged: Parses changed files with Cedar.
        approved: Approved argument schemas of tools.
    """
    config = reading.config
    if config is None or not config.policy:
        return reading
    files: dict[Path, CedarFile] = {}
    faults: list[Fault] = []
    folder = PurePath(config.place).parent
    for mark, pattern in zip(reading.policy_marks, config.policy, strict=False):
        try:
            for path in _matching(pattern):
                if path not in files:
                    files[path] = _policy_file(path, folder)
        except AnswerableError as error:
            faults.append(Fault(mark, "policy", error.message))
    if sum(len(each.data) for each in files.values()) > MAX_ALL_POLICIES:
        what = f"larger than {MAX_ALL_POLICIES >> 20} MiB together"
        faults.append(Fault(reading.policy_marks[0], "policy", what))
        files = {}
    read = read_rules(files.values(), named_by(config), before, judged, approved)
    faults += map(fault_of, read.faults)
    return replace(
        reading,
        faults=(*reading.faults, *faults),
        policies=NO_RULES if faults else read.rules,
    )


def _matching(pattern: str) -> list[Path]:
    if not has_magic(pattern):
        return [Path(pattern)]
    found = sorted(path for path in map(Path, glob(pattern)) if path.is_file())
    if not found:
        raise UsageError(f"{pattern}: no such file")
    return found


def _policy_file(path: Path, folder: PurePath) -> CedarFile:
    data = read_whole(str(path), POLICIES, MAX_POLICIES)
    is_below = path.is_relative_to(folder)
    return CedarFile(str(path.relative_to(folder) if is_below else path), data)


def sync(location: str, context: SyncContext) -> Sync:
    """Read a configuration; its faults are `problems`, valid parts are kept.

    Raises:
        UsageError: It is missing or too large.
        EnvironmentRefused: It is not readable.
    """
    if not location:
        raise UsageError(f"{SPEC.name}: names no file (expected {EXPECTED})")
    reading = read_file(location)
    place = reading.config.place if reading.config else show_path(location)
    frame = Frame(
        source=f"{SPEC.name}:{place}",
        scope="",
        written_by=SPEC.written_by,
        now=context.now,
        fingerprint=context.fingerprint,
    )
    config = reading.config
    return Sync(
        source=frame.source,
        connector=SPEC.name,
        started_at=context.now,
        facts=sight_config(config, frame) if config else Facts(),
        probes=(Probe(place, EXPECTED, True),),
        problems=tuple(_problem(place, fault) for fault in reading.faults),
        collected=SPEC.collects if config else (),
        not_collected=() if config else SPEC.collects,
    )


def where(location: str) -> tuple[Probe, ...]:
    """List the paths that a sync would read."""
    return (probe_file(location or f"{SPEC.name}:FILE", EXPECTED),)


def _problem(place: str, fault: Fault) -> Problem:
    at = f"{fault.path}: " if fault.path else ""
    line = f"{place}:{fault.mark.line}:{fault.mark.column}"
    return Problem(ProblemKind.INVALID, line, at + fault.what)
