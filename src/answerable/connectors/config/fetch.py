"""Reads an `answerable.yaml`."""

from pathlib import Path

from answerable.connectors.answer_file import probe_file, read_whole
from answerable.connectors.config.parse.document import Reading, read_config
from answerable.connectors.config.parse.facts import sight_config
from answerable.connectors.config.parse.faults import Fault
from answerable.connectors.config.parse.nodes import MAX_BYTES
from answerable.connectors.config.spec import SPEC
from answerable.connectors.files import show_path
from answerable.connectors.formats.sighting_frame import Frame
from answerable.model.connector import SyncContext
from answerable.model.errors import UsageError
from answerable.model.sighting import Facts, Probe, Problem, ProblemKind, Sync

EXPECTED = "an `answerable.yaml`"


def read_file(location: str) -> Reading:
    """Read a configuration, with every fault of it.

    Raises:
        UsageError: It is not there, or larger than a configuration may be.
        EnvironmentRefused: It may not be read.
    """
    data = read_whole(location, EXPECTED, MAX_BYTES)
    path = Path(location).expanduser().absolute()
    return read_config(data, show_path(path), str(path.parent))


def sync(location: str, context: SyncContext) -> Sync:
    """Read a configuration; its faults are `problems`, and what is right is kept.

    Raises:
        UsageError: It is not there, or larger than a configuration may be.
        EnvironmentRefused: It may not be read.
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
    """List what a sync would read."""
    return (probe_file(location or f"{SPEC.name}:FILE", EXPECTED),)


def _problem(place: str, fault: Fault) -> Problem:
    at = f"{fault.path}: " if fault.path else ""
    line = f"{place}:{fault.mark.line}:{fault.mark.column}"
    return Problem(ProblemKind.INVALID, line, at + fault.what)
