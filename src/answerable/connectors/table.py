"""The one list of connectors. A new one adds its folder and a line here.

Only the small `spec` of each is imported; what reads the world is imported when it is
asked for, so that help and errors cost nothing.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import cast

from answerable.connectors.aws.spec import SPEC as AWS
from answerable.connectors.aws_keys.spec import SPEC as AWS_KEYS
from answerable.connectors.aws_org.spec import SPEC as AWS_ORG
from answerable.connectors.aws_resources.spec import SPEC as AWS_RESOURCES
from answerable.connectors.cloudtrail.spec import SPEC as CLOUDTRAIL
from answerable.connectors.config.spec import SPEC as CONFIG
from answerable.connectors.gateway.spec import SPEC as GATEWAY
from answerable.connectors.home.spec import SPEC as HOME
from answerable.connectors.iam_catalogue.spec import SPEC as IAM_CATALOGUE
from answerable.connectors.repo.spec import SPEC as REPO
from answerable.model.connector import (
    ConnectorSpec,
    EventConnector,
    InventoryConnector,
)
from answerable.model.errors import UsageError

INVENTORY = "inventory"
EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the table.

    Attributes:
        spec: The connector's own statement.
        fetch: Dotted path of the module that reads the world.
    """

    spec: ConnectorSpec
    fetch: str


CONNECTORS: tuple[Entry, ...] = (
    Entry(HOME, "answerable.connectors.home.fetch"),
    Entry(REPO, "answerable.connectors.repo.fetch"),
    Entry(AWS, "answerable.connectors.aws.fetch"),
    Entry(AWS_KEYS, "answerable.connectors.aws_keys.fetch"),
    Entry(AWS_ORG, "answerable.connectors.aws_org.fetch"),
    Entry(AWS_RESOURCES, "answerable.connectors.aws_resources.fetch"),
    Entry(CONFIG, "answerable.connectors.config.fetch"),
    Entry(CLOUDTRAIL, "answerable.connectors.cloudtrail.fetch"),
    Entry(GATEWAY, "answerable.connectors.gateway.fetch"),
)

# Read by the flows that need them, never named on the command line.
REFERENCES: tuple[Entry, ...] = (
    Entry(IAM_CATALOGUE, "answerable.connectors.iam_catalogue.fetch"),
)


def entry(name: str, gives: str = "") -> Entry:
    """Find a connector by the word before the colon.

    Args:
        name: The word.
        gives: What the command takes, `inventory` or `events`; only such sources are
            offered to whoever mistypes a name. Empty for all.

    Raises:
        UsageError: There is none; the nearest spelling is the hint.
    """
    for each in CONNECTORS:
        if each.spec.name == name:
            return each
    names = [e.spec.name for e in CONNECTORS if gives in ("", e.spec.gives)]
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}:?" if close else f"known: {', '.join(names)}"
    raise UsageError(
        f"unknown source {name[:80]!r} (expected NAME or NAME:LOCATION)", hint
    )


def inventory_connector(name: str) -> InventoryConnector:
    """Import what reads a location whole.

    Raises:
        UsageError: There is none of that name, or it gives events.
    """
    each = entry(name, INVENTORY)
    if each.spec.gives != INVENTORY:
        raise UsageError(
            f"{name} gives events (expected a source that gives an inventory)",
            f"run `answerable ingest {name}:PATH`",
        )
    return cast(InventoryConnector, import_module(each.fetch))


def event_connector(name: str) -> EventConnector:
    """Import what reads events in batches.

    Raises:
        UsageError: There is none of that name, or it gives an inventory.
    """
    each = entry(name, EVENTS)
    if each.spec.gives != EVENTS:
        raise UsageError(
            f"{name} gives an inventory (expected a source that gives events)",
            f"run `answerable scan {name}:`",
        )
    return cast(EventConnector, import_module(each.fetch))
