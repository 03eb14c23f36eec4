"""Read a configuration and its Cedar policies, the same for every decision point."""

from collections.abc import Iterable
from pathlib import Path

from answerable.authorization.cedar.approved_schemas import (
    NO_APPROVED_SCHEMAS,
    ApprovedSchemas,
)
from answerable.authorization.pins.canonical_definitions import (
    definition_argument_schema,
)
from answerable.connectors.config.fetch import read_config_file, read_policy_files
from answerable.connectors.config.parse.config_faults import ConfigFault
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarPolicySet
from answerable.model.config import Config
from answerable.model.definition_pin import (
    DefinitionKind,
    McpDefinition,
    PinningMode,
    PinOrigin,
    build_definition_id,
)
from answerable.server.pins.pin_files import PinFiles
from answerable.server.policy_check_pool import check_policies
from answerable.server.restart_only_settings import resolve_store_folder
from answerable.server.state_folders import gateway_state


def read_config_and_policies(
    config_path: str,
    store: Path | None,
    default_store: Path | None,
    previous_policies: CedarPolicySet = NO_CEDAR_POLICIES,
) -> ConfigReading:
    """Read `answerable.yaml` and its Cedar policies, with all their faults.

    Args:
        config_path: Path of the file.
        store: Store named on the command line; None without one.
        default_store: Default store.
        previous_policies: Cedar policies of the previous reading.

    Raises:
        UsageError: The file does not exist, or is larger than a configuration may be.
        EnvironmentFailure: It may not be read, or the pins may not.
    """
    reading = read_config_file(config_path)
    config = reading.config
    if config is None or not config.policy:
        return reading
    root = resolve_store_folder(config, store, default_store)
    approved = load_approved_schemas(config, gateway_state(config, root))
    return read_policy_files(reading, previous_policies, check_policies, approved)


def load_approved_schemas(config: Config, state_folder: Path) -> ApprovedSchemas:
    """Return the argument schemas of the tools that a person has approved.

    Merely observed schemas do not count: the server would decide which policies are
    valid.

    Raises:
        EnvironmentFailure: The pins cannot be read.
    """
    files, found = PinFiles(state_folder), dict(NO_APPROVED_SCHEMAS)
    for server in config.servers:
        if server.pin is PinningMode.OFF:
            continue
        for pin in files.read_pins(server.name).items.values():
            kind, name = pin.definition.kind, pin.definition.name
            schema = definition_argument_schema(pin.definition)
            if (
                kind is DefinitionKind.TOOL
                and pin.pin_origin is PinOrigin.APPROVED
                and schema
            ):
                found[build_definition_id(server.name, kind, name)] = schema
    return found


def find_approval_faults(
    reading: ConfigReading,
    state_folder: Path,
    server: str,
    definitions: Iterable[McpDefinition],
) -> tuple[ConfigFault, ...]:
    """List the policy faults that an approval of definitions would cause.

    Args:
        reading: The configuration; its policies are read here.
        state_folder: State folder of the gateway, with the present approvals.
        server: Name of the server.
        definitions: Definitions to approve.

    Returns:
        Faults that the policies do not have now.

    Raises:
        EnvironmentFailure: The pins cannot be read.
    """
    config = reading.config
    if config is None or not config.policy:
        return ()
    pinning = {each.name: each.pin for each in config.servers}
    before = load_approved_schemas(config, state_folder)
    after = dict(before)
    if pinning.get(server, PinningMode.OFF) is not PinningMode.OFF:
        for each in definitions:
            if each.kind is DefinitionKind.TOOL:
                after[build_definition_id(server, each.kind, each.name)] = (
                    definition_argument_schema(each)
                )
    after = {tool: schema for tool, schema in after.items() if schema}
    if after == before:
        return ()
    now, then = (
        read_policy_files(reading, NO_CEDAR_POLICIES, check_policies, each).faults
        for each in (before, after)
    )
    return tuple(each for each in then if each not in now)
