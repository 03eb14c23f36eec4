"""Read `answerable.yaml` and its Cedar policy files, with all faults."""

from collections.abc import Callable
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path, PurePath

from answerable.authorization.cedar.approved_schemas import (
    NO_APPROVED_SCHEMAS,
    ApprovedSchemas,
)
from answerable.authorization.cedar.loader import PolicyValidator, load_policies
from answerable.authorization.cedar.validation import validate_policies
from answerable.connectors.api_response_file import probe_answer_file, read_answer_file
from answerable.connectors.bounded_folder import printable_path
from answerable.connectors.config.declaration import DECLARATION
from answerable.connectors.config.parse.config_faults import ConfigFault
from answerable.connectors.config.parse.config_file import ConfigReading, parse_config
from answerable.connectors.config.parse.inventory_facts import build_config_facts
from answerable.connectors.config.parse.policy_files import (
    list_policy_entity_names,
    to_config_fault,
)
from answerable.connectors.config.parse.yaml_nodes import MAX_BYTES
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.connectors.user_path import expand_user_path
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarFile, CedarPolicySet
from answerable.model.config import Config
from answerable.model.connector import SyncContext
from answerable.model.errors import AnswerableError, UsageError
from answerable.model.sighting import (
    Probe,
    ReadProblem,
    ReadProblemKind,
    SightedFacts,
    Sync,
)

EXPECTED = "an `answerable.yaml`"
POLICIES = "Cedar policies"
MAX_POLICIES = 8 << 20  # bytes of one file
MAX_ALL_POLICIES = 32 << 20  # of all


def read_config_file(location: str) -> ConfigReading:
    """Read and parse `answerable.yaml`, with all of its faults.

    Raises:
        UsageError: It is missing or too large.
        EnvironmentFailure: It is not readable.
    """
    data = read_answer_file(location, EXPECTED, MAX_BYTES)
    path = expand_user_path(location).absolute()
    return parse_config(data, printable_path(path), str(path.parent))


def read_policy_files(
    reading: ConfigReading,
    previous: CedarPolicySet = NO_CEDAR_POLICIES,
    validator: PolicyValidator = validate_policies,
    approved_schemas: ApprovedSchemas = NO_APPROVED_SCHEMAS,
) -> ConfigReading:
    """Read the policy files of a configuration, and add their faults to the reading.

    Args:
        reading: Reading of the configuration.
        previous: Last read policies; unchanged files are not read again.
        validator: Parses changed files with Cedar.
        approved_schemas: Approved argument schemas of tools.
    """
    config = reading.config
    if config is None or not config.policy:
        return reading
    files: dict[Path, CedarFile] = {}
    faults: list[ConfigFault] = []
    folder = PurePath(config.place).parent
    for mark, pattern in zip(reading.policy_positions, config.policy, strict=False):
        try:
            for path in _expand_policy_path(pattern):
                if path not in files:
                    files[path] = _read_policy_file(path, folder)
        except AnswerableError as error:
            faults.append(ConfigFault(mark, "policy", error.message))
    if sum(len(each.data) for each in files.values()) > MAX_ALL_POLICIES:
        what = f"larger than {MAX_ALL_POLICIES >> 20} MiB in total"
        faults.append(ConfigFault(reading.policy_positions[0], "policy", what))
        files = {}
    read = load_policies(
        files.values(),
        list_policy_entity_names(config),
        previous,
        validator,
        approved_schemas,
    )
    faults += map(to_config_fault, read.faults)
    return replace(
        reading,
        faults=(*reading.faults, *faults),
        policies=NO_CEDAR_POLICIES if faults else read.rules,
    )


def _expand_policy_path(pattern: str) -> list[Path]:
    """List the files of a path or glob pattern; raises if none matches."""
    if not has_magic(pattern):
        return [Path(pattern)]
    found = sorted(path for path in map(Path, glob(pattern)) if path.is_file())
    if not found:
        raise UsageError(
            f"{pattern}: no such file",
            "name an existing answerable.yaml, or a glob of them",
        )
    return found


def _read_policy_file(path: Path, folder: PurePath) -> CedarFile:
    """Read one Cedar policy file, named relative to the configuration."""
    data = read_answer_file(str(path), POLICIES, MAX_POLICIES)
    is_below = path.is_relative_to(folder)
    return CedarFile(str(path.relative_to(folder) if is_below else path), data)


def sync(location: str, context: SyncContext) -> Sync:
    """Read a configuration into a sync result; its faults become `problems`.

    Raises:
        UsageError: It is missing or too large.
        EnvironmentFailure: It is not readable.
    """
    if not location:
        raise UsageError(f"{DECLARATION.name}: no file given (expected {EXPECTED})")
    reading = read_config_file(location)
    place = reading.config.place if reading.config else printable_path(location)
    problems = tuple(_convert_fault_to_problem(place, each) for each in reading.faults)
    if reading.config is not None:
        declared = build_config_sync(reading.config, context.fingerprint, context.now)
        return replace(declared, problems=problems)
    return Sync(
        source=f"{DECLARATION.name}:{place}",
        connector=DECLARATION.name,
        started_at=context.now,
        facts=SightedFacts(),
        probes=(Probe(place, EXPECTED, True),),
        problems=problems,
        not_collected=DECLARATION.collects,
    )


def build_config_sync(
    config: Config, fingerprint: Callable[[str], str], now: int
) -> Sync:
    """Build the sync of a configuration that was read without faults.

    Args:
        config: The configuration.
        fingerprint: Fingerprints a secret, as the store does.
        now: UTC nanoseconds.
    """
    context = SightingContext(
        source=f"{DECLARATION.name}:{config.place}",
        scope="",
        written_by=DECLARATION.written_by,
        now=now,
        fingerprint=fingerprint,
    )
    return Sync(
        source=context.source,
        connector=DECLARATION.name,
        started_at=now,
        facts=build_config_facts(config, context),
        probes=(Probe(config.place, EXPECTED, True),),
        collected=DECLARATION.collects,
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the paths that a sync would read."""
    return (probe_answer_file(location or f"{DECLARATION.name}:FILE", EXPECTED),)


def _convert_fault_to_problem(place: str, fault: ConfigFault) -> ReadProblem:
    """Convert a fault of `answerable.yaml` to a read problem."""
    at = f"{fault.path}: " if fault.path else ""
    line = f"{place}:{fault.position.line}:{fault.position.column}"
    return ReadProblem(ReadProblemKind.INVALID, line, at + fault.message)
