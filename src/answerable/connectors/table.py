"""The one list of connectors. A new one adds its folder and a line here.

Only the small `spec` of each is imported; what reads the world is imported when it is
asked for, so that help and errors cost nothing.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import cast

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
        name: The word before the colon.
        gives: `inventory` or `events`.
        package: Dotted path of its folder; `fetch` in it reads the world.
    """

    name: str
    gives: str
    package: str

    @property
    def spec(self) -> ConnectorSpec:
        """The connector's own statement."""
        return cast(ConnectorSpec, import_module(f"{self.package}.spec").SPEC)


CONNECTORS: tuple[Entry, ...] = (
    Entry("home", INVENTORY, "answerable.connectors.home"),
    Entry("repo", INVENTORY, "answerable.connectors.repo"),
    Entry("aws", INVENTORY, "answerable.connectors.aws"),
    Entry("aws-keys", INVENTORY, "answerable.connectors.aws_keys"),
    Entry("aws-org", INVENTORY, "answerable.connectors.aws_org"),
    Entry("cloudtrail", EVENTS, "answerable.connectors.cloudtrail"),
)

# Read by the flows that need them, never named on the command line.
REFERENCES: tuple[str, ...] = ("answerable.connectors.iam_catalogue",)


def entry(name: str) -> Entry:
    """Find a connector by the word before the colon.

    Raises:
        UsageError: There is none; the nearest spelling is the hint.
    """
    for each in CONNECTORS:
        if each.name == name:
            return each
    names = [each.name for each in CONNECTORS]
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
    each = entry(name)
    if each.gives != INVENTORY:
        raise UsageError(
            f"{name} gives events (expected a source that gives an inventory)",
            f"run `answerable ingest {name}:PATH`",
        )
    return cast(InventoryConnector, import_module(f"{each.package}.fetch"))


def event_connector(name: str) -> EventConnector:
    """Import what reads events in batches.

    Raises:
        UsageError: There is none of that name, or it gives an inventory.
    """
    each = entry(name)
    if each.gives != EVENTS:
        raise UsageError(
            f"{name} gives an inventory (expected a source that gives events)",
            f"run `answerable scan {name}:`",
        )
    return cast(EventConnector, import_module(f"{each.package}.fetch"))
