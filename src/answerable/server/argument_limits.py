"""Read the limits that policies of the gateway set on arguments of tools."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from answerable.authorization.cedar.approved_schemas import (
    ArgumentSchema,
    parse_argument_schema,
)
from answerable.authorization.cedar.scopes import resource_server
from answerable.authorization.pins.canonical_definitions import (
    definition_argument_schema,
)
from answerable.connectors.config.fetch import read_policy_files
from answerable.connectors.config.parse.config_faults import ConfigError, TextPosition
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.model.cedar_policy import CedarPolicy
from answerable.model.config import Config
from answerable.model.definition_pin import (
    DefinitionKind,
    DefinitionPin,
    PinningMode,
    PinOrigin,
    build_definition_id,
)
from answerable.model.errors import AnswerableError
from answerable.model.json_key_lookalikes import KeyPath
from answerable.posture.facts import ArgumentLimit, SchemaState
from answerable.server.pins.pin_files import PinFiles
from answerable.server.policy_loading import (
    load_approved_schemas,
    read_config_and_policies,
)
from answerable.server.restart_only_settings import (
    require_valid_config,
    resolve_store_folder,
)
from answerable.server.state_folders import gateway_state

_CALL = "tools/call"
_TOOL = "Tool"
# Pinned tools of one server by id, None for a definition that no person approved.
ToolSchemas = Mapping[str, ArgumentSchema | None]


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """Limits on arguments that the policies of a configuration set.

    Attributes:
        store: Folder of the store that the configuration uses.
    """

    store: Path
    limits: tuple[ArgumentLimit, ...]


def read_argument_limits(
    config_path: str, store: Path | None, default_store: Path | None
) -> GatewayLimits:
    """Read the limits on arguments that the policies of a configuration set.

    Args:
        store: Store named on the command line; None without one.
        default_store: Default store.

    Raises:
        ConfigError: The configuration or a policy is invalid.
        UsageError: The file does not exist.
        EnvironmentFailure: It may not be read, or the pins may not.
    """
    reading = read_config_and_policies(config_path, store, default_store)
    config = require_valid_config(config_path, reading)
    if reading.faults:
        raise ConfigError(config_path, reading.faults)
    root = resolve_store_folder(config, store, default_store)
    return GatewayLimits(root, _list_limits_of_config(config, reading, root))


def read_limits_of_server(
    config: Config, store: Path
) -> tuple[ArgumentLimit, ...] | None:
    """Read the limits of the configuration that a server runs with.

    The policies are checked in this process.

    Args:
        store: Folder of the server's store.

    Returns:
        None if the policies or the pins cannot be read: the limits are not known then.
    """
    start = (TextPosition(1, 1),) * len(config.policy)
    reading = ConfigReading(config, (), frozenset(), b"", policy_positions=start)
    try:
        approved = load_approved_schemas(config, gateway_state(config, store))
        reading = read_policy_files(reading, approved_schemas=approved)
        if reading.faults:
            return None
        return _list_limits_of_config(config, reading, store)
    except AnswerableError:
        return None


def _list_limits_of_config(
    config: Config, reading: ConfigReading, store: Path
) -> tuple[ArgumentLimit, ...]:
    """List the limits of a valid configuration's policies.

    Raises:
        EnvironmentFailure: The pins cannot be read.
    """
    schemas = _read_tool_schemas(config, PinFiles(gateway_state(config, store)))
    folder = PurePath(config.place).parent
    return tuple(
        limit
        for policy in reading.policies.rules
        for limit in _list_limits(policy, schemas, folder)
    )


def _read_tool_schemas(config: Config, files: PinFiles) -> Mapping[str, ToolSchemas]:
    """Read the pinned tools of each server."""
    return {
        server.name: {
            build_definition_id(
                server.name, DefinitionKind.TOOL, pin.definition.name
            ): (_parse_approved_schema(pin, server.pin))
            for key, pin in files.read_pins(server.name).items.items()
            if pin.definition.kind is DefinitionKind.TOOL
        }
        for server in config.servers
    }


def _parse_approved_schema(
    pin: DefinitionPin, pinning: PinningMode
) -> ArgumentSchema | None:
    """Parse the schema that the gateway enforces; None without an approval."""
    if pinning is PinningMode.OFF or pin.pin_origin is not PinOrigin.APPROVED:
        return None
    return parse_argument_schema(definition_argument_schema(pin.definition))


def _list_limits(
    policy: CedarPolicy,
    schemas: Mapping[str, ToolSchemas],
    folder: PurePath,
) -> Iterator[ArgumentLimit]:
    """List the limits of a policy on tools; none if it reads no argument of a call."""
    applies = not policy.actions or _CALL in policy.actions
    if not policy.reads or not applies or policy.kind not in ("", _TOOL):
        return
    file, _, name = policy.id.rpartition(":")
    place = f"{folder / file}#/{name.replace('~', '~0').replace('/', '~1')}"
    for tool, states in _list_tools(policy, schemas):
        for path in policy.reads:
            yield ArgumentLimit(
                tool,
                policy.id,
                policy.principal,
                ".".join(path),
                states
                if isinstance(states, SchemaState)
                else _find_open_schema(states, path),
                place,
            )


def _list_tools(
    policy: CedarPolicy, schemas: Mapping[str, ToolSchemas]
) -> Sequence[tuple[str, ArgumentSchema | SchemaState | None]]:
    """List the tools of a policy: the named one, else the pinned ones of its servers."""
    server = resource_server(policy.resource)
    if policy.resource.startswith("tool:"):
        known = schemas.get(server, {})
        return [(policy.resource, known.get(policy.resource))]
    found: list[tuple[str, ArgumentSchema | SchemaState | None]] = []
    for name in [server] if server else sorted(schemas):
        pinned = schemas.get(name, {})
        found += sorted(pinned.items(), key=lambda pair: pair[0])
        if not pinned:
            found.append((f"tool:mcp/{name}/*", SchemaState.NOT_SEEN))
    return found


def _find_open_schema(schema: ArgumentSchema | None, path: KeyPath) -> SchemaState:
    """Judge the object that holds an argument, and each object above it."""
    if schema is None:
        return SchemaState.NOT_APPROVED
    is_closed = all(path[:depth] in schema.closed for depth in range(len(path)))
    return SchemaState.CLOSED if is_closed else SchemaState.OPEN
