"""Reader for a configuration and its policies, the same for every decision point."""

from collections.abc import Iterable
from pathlib import Path

from answerable.authorization.cedar.approved_schemas import NOTHING_APPROVED, Approved
from answerable.authorization.pins.definitions import schema_of
from answerable.connectors.config.fetch import read_file, read_policies
from answerable.connectors.config.parse.config_faults import Fault
from answerable.connectors.config.parse.config_file import Reading
from answerable.model.cedar_policy import NO_RULES, CedarRules
from answerable.model.config import Config
from answerable.model.pin import Definition, How, Kind, Pinning, item_id
from answerable.server.pins.pin_files import PinFiles
from answerable.server.policy_check_pool import judged_apart
from answerable.server.reloadable_plan import store_of
from answerable.server.state_folders import gateway_state


def read_decided(
    place: str, store: Path | None, usual: Path | None, before: CedarRules = NO_RULES
) -> Reading:
    """Read a configuration and its policies, with all their faults.

    Args:
        place: Path of the file.
        store: Store named on the command line; None without one.
        usual: Default store.
        before: Cedar policies of the previous reading.

    Raises:
        UsageError: The file does not exist, or is larger than a configuration may be.
        EnvironmentRefused: It may not be read, or the pins may not.
    """
    reading = read_file(place)
    config = reading.config
    if config is None or not config.policy:
        return reading
    root = store_of(config, store, usual)
    approved = approved_schemas(config, gateway_state(config, root))
    return read_policies(reading, before, judged_apart, approved)


def approved_schemas(config: Config, state: Path) -> Approved:
    """Return the schemas of the tools that a person has approved.

    Merely observed schemas do not count: the server would decide which policies are
    valid.

    Raises:
        EnvironmentRefused: The pins cannot be read.
    """
    files, found = PinFiles(state), dict(NOTHING_APPROVED)
    for server in config.servers:
        if server.pin is Pinning.OFF:
            continue
        for pin in files.read(server.name).items.values():
            kind, name = pin.definition.kind, pin.definition.name
            schema = schema_of(pin.definition)
            if kind is Kind.TOOL and pin.how is How.APPROVED and schema:
                found[item_id(server.name, kind, name)] = schema
    return found


def faults_of_approval(
    reading: Reading, state: Path, server: str, definitions: Iterable[Definition]
) -> tuple[Fault, ...]:
    """List the policy faults that an approval of definitions would cause.

    Args:
        reading: The configuration; its policies are read here.
        state: State folder of the gateway, with the present approvals.
        server: Name of the server.
        definitions: Definitions to approve.

    Returns:
        Faults that the policies do not have now.

    Raises:
        EnvironmentRefused: The pins cannot be read.
    """
    config = reading.config
    if config is None or not config.policy:
        return ()
    pinning = {each.name: each.pin for each in config.servers}
    before = approved_schemas(config, state)
    after = dict(before)
    if pinning.get(server, Pinning.OFF) is not Pinning.OFF:
        for each in definitions:
            if each.kind is Kind.TOOL:
                after[item_id(server, each.kind, each.name)] = schema_of(each)
    after = {tool: schema for tool, schema in after.items() if schema}
    if after == before:
        return ()
    now, then = (
        read_policies(reading, NO_RULES, judged_apart, each).faults
        for each in (before, after)
    )
    return tuple(each for each in then if each not in now)
