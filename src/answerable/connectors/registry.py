"""List all connectors, and find one by name. A new connector adds one entry here.

The modules of a connector are imported on use, so that commands start fast.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from answerable.model.connector import (
    ConnectorDeclaration,
    EventConnector,
    InventoryConnector,
)
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.connectors.formats.log_format import LogFormat

INVENTORY = "inventory"
EVENTS = "events"


@dataclass(frozen=True, slots=True)
class ConnectorEntry:
    """Registry entry of a connector.

    Attributes:
        name: Name of the connector, as in its declaration.
        declaration: Dotted path of its `declaration` module.
        fetch: Dotted path of its `fetch` module.
    """

    name: str
    declaration: str
    fetch: str

    @property
    def spec(self) -> ConnectorDeclaration:
        """Declaration of the connector."""
        found = import_module(self.declaration).DECLARATION
        return cast("ConnectorDeclaration", found)


CONNECTORS: tuple[ConnectorEntry, ...] = (
    ConnectorEntry(
        "home",
        "answerable.connectors.home.declaration",
        "answerable.connectors.home.fetch",
    ),
    ConnectorEntry(
        "repo",
        "answerable.connectors.repo.declaration",
        "answerable.connectors.repo.fetch",
    ),
    ConnectorEntry(
        "aws",
        "answerable.connectors.aws.declaration",
        "answerable.connectors.aws.fetch",
    ),
    ConnectorEntry(
        "aws-keys",
        "answerable.connectors.aws_keys.declaration",
        "answerable.connectors.aws_keys.fetch",
    ),
    ConnectorEntry(
        "aws-org",
        "answerable.connectors.aws_org.declaration",
        "answerable.connectors.aws_org.fetch",
    ),
    ConnectorEntry(
        "aws-resources",
        "answerable.connectors.aws_resources.declaration",
        "answerable.connectors.aws_resources.fetch",
    ),
    ConnectorEntry(
        "pg",
        "answerable.connectors.postgres.declaration",
        "answerable.connectors.postgres.fetch",
    ),
    ConnectorEntry(
        "k8s",
        "answerable.connectors.kubernetes.declaration",
        "answerable.connectors.kubernetes.fetch",
    ),
    ConnectorEntry(
        "github",
        "answerable.connectors.github.declaration",
        "answerable.connectors.github.fetch",
    ),
    ConnectorEntry(
        "gcp",
        "answerable.connectors.gcp.declaration",
        "answerable.connectors.gcp.fetch",
    ),
    ConnectorEntry(
        "gcp-roles",
        "answerable.connectors.gcp_roles.declaration",
        "answerable.connectors.gcp_roles.fetch",
    ),
    ConnectorEntry(
        "azure",
        "answerable.connectors.azure.declaration",
        "answerable.connectors.azure.fetch",
    ),
    ConnectorEntry(
        "opengraph",
        "answerable.connectors.opengraph.declaration",
        "answerable.connectors.opengraph.fetch",
    ),
    ConnectorEntry(
        "people",
        "answerable.connectors.people.declaration",
        "answerable.connectors.people.fetch",
    ),
    ConnectorEntry(
        "config",
        "answerable.connectors.config.declaration",
        "answerable.connectors.config.fetch",
    ),
    ConnectorEntry(
        "cloudtrail",
        "answerable.connectors.cloudtrail.declaration",
        "answerable.connectors.cloudtrail.fetch",
    ),
    ConnectorEntry(
        "k8s-audit",
        "answerable.connectors.k8s_audit.declaration",
        "answerable.connectors.k8s_audit.fetch",
    ),
    ConnectorEntry(
        "github-audit",
        "answerable.connectors.github_audit.declaration",
        "answerable.connectors.github_audit.fetch",
    ),
    ConnectorEntry(
        "gcp-audit",
        "answerable.connectors.gcp_audit.declaration",
        "answerable.connectors.gcp_audit.fetch",
    ),
    ConnectorEntry(
        "azure-activity",
        "answerable.connectors.azure_activity.declaration",
        "answerable.connectors.azure_activity.fetch",
    ),
    ConnectorEntry(
        "entra",
        "answerable.connectors.entra.declaration",
        "answerable.connectors.entra.fetch",
    ),
    ConnectorEntry(
        "okta",
        "answerable.connectors.okta.declaration",
        "answerable.connectors.okta.fetch",
    ),
    ConnectorEntry(
        "anthropic-audit",
        "answerable.connectors.anthropic_audit.declaration",
        "answerable.connectors.anthropic_audit.fetch",
    ),
    ConnectorEntry(
        "openai-audit",
        "answerable.connectors.openai_audit.declaration",
        "answerable.connectors.openai_audit.fetch",
    ),
    ConnectorEntry(
        "bedrock",
        "answerable.connectors.bedrock.declaration",
        "answerable.connectors.bedrock.fetch",
    ),
    ConnectorEntry(
        "claude-code",
        "answerable.connectors.claude_code.declaration",
        "answerable.connectors.claude_code.fetch",
    ),
    ConnectorEntry(
        "otel",
        "answerable.connectors.otel.declaration",
        "answerable.connectors.otel.fetch",
    ),
    ConnectorEntry(
        "gateway",
        "answerable.connectors.gateway.declaration",
        "answerable.connectors.gateway.fetch",
    ),
)

# Used by use cases, never named on the command line.
REFERENCES: tuple[ConnectorEntry, ...] = (
    ConnectorEntry(
        "iam-catalogue",
        "answerable.connectors.iam_catalogue.declaration",
        "answerable.connectors.iam_catalogue.fetch",
    ),
)


def find_connector(name: str, kind: str = "") -> ConnectorEntry:
    """Find a connector by its name, the word before the colon.

    Args:
        name: Connector name.
        kind: Kind that the command accepts, `inventory` or `events`; suggestions for a
            mistyped name are limited to it. Empty for all.

    Raises:
        UsageError: The name is unknown; the hint is the nearest spelling.
    """
    for each in CONNECTORS:
        if each.name == name:
            return each
    from difflib import get_close_matches

    names = [e.name for e in CONNECTORS if kind in ("", e.spec.gives)]
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}:?" if close else f"known: {', '.join(names)}"
    raise UsageError(
        f"unknown source {name[:80]!r} (expected NAME or NAME:LOCATION)", hint
    )


def load_inventory_connector(name: str) -> InventoryConnector:
    """Import the `fetch` module of an inventory connector.

    Raises:
        UsageError: The name is unknown, or it gives events.
    """
    each = find_connector(name, INVENTORY)
    if each.spec.gives != INVENTORY:
        raise UsageError(
            f"{name} reads events (expected an inventory source)",
            f"run `answerable ingest {name}:PATH`",
        )
    return cast(InventoryConnector, import_module(each.fetch))


def load_event_connector(name: str) -> EventConnector:
    """Import the `fetch` module of an event connector.

    Raises:
        UsageError: The name is unknown, or it gives an inventory.
    """
    each = find_connector(name, EVENTS)
    if each.spec.gives != EVENTS:
        raise UsageError(
            f"{name} reads inventory (expected an event source)",
            f"run `answerable scan {name}:`",
        )
    return cast(EventConnector, import_module(each.fetch))


def load_log_format(name: str) -> "LogFormat":
    """Import the format of a log whose records arrive without files."""
    return cast("LogFormat", import_module(find_connector(name, EVENTS).fetch).FORMAT)
