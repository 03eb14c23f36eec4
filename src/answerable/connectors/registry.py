"""List all connectors, and find one by name. A new connector adds one line here.

Only the small `spec` of each is imported; the `fetch` module is imported on use, so
that help and errors stay fast.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, cast

from answerable.connectors.anthropic_audit.declaration import (
    DECLARATION as ANTHROPIC_AUDIT,
)
from answerable.connectors.aws.declaration import DECLARATION as AWS
from answerable.connectors.aws_keys.declaration import DECLARATION as AWS_KEYS
from answerable.connectors.aws_org.declaration import DECLARATION as AWS_ORG
from answerable.connectors.aws_resources.declaration import DECLARATION as AWS_RESOURCES
from answerable.connectors.azure.declaration import DECLARATION as AZURE
from answerable.connectors.azure_activity.declaration import (
    DECLARATION as AZURE_ACTIVITY,
)
from answerable.connectors.bedrock.declaration import DECLARATION as BEDROCK
from answerable.connectors.claude_code.declaration import DECLARATION as CLAUDE_CODE
from answerable.connectors.cloudtrail.declaration import DECLARATION as CLOUDTRAIL
from answerable.connectors.config.declaration import DECLARATION as CONFIG
from answerable.connectors.entra.declaration import DECLARATION as ENTRA
from answerable.connectors.gateway.declaration import DECLARATION as GATEWAY
from answerable.connectors.gcp.declaration import DECLARATION as GCP
from answerable.connectors.gcp_audit.declaration import DECLARATION as GCP_AUDIT
from answerable.connectors.gcp_roles.declaration import DECLARATION as GCP_ROLES
from answerable.connectors.github.declaration import DECLARATION as GITHUB
from answerable.connectors.github_audit.declaration import DECLARATION as GITHUB_AUDIT
from answerable.connectors.home.declaration import DECLARATION as HOME
from answerable.connectors.iam_catalogue.declaration import DECLARATION as IAM_CATALOGUE
from answerable.connectors.k8s_audit.declaration import DECLARATION as K8S_AUDIT
from answerable.connectors.kubernetes.declaration import DECLARATION as KUBERNETES
from answerable.connectors.okta.declaration import DECLARATION as OKTA
from answerable.connectors.openai_audit.declaration import DECLARATION as OPENAI_AUDIT
from answerable.connectors.opengraph.declaration import DECLARATION as OPENGRAPH
from answerable.connectors.otel.declaration import DECLARATION as OTEL
from answerable.connectors.people.declaration import DECLARATION as PEOPLE
from answerable.connectors.postgres.declaration import DECLARATION as POSTGRES
from answerable.connectors.repo.declaration import DECLARATION as REPO
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
        spec: Declaration of the connector.
        fetch: Dotted path of its `fetch` module.
    """

    spec: ConnectorDeclaration
    fetch: str


CONNECTORS: tuple[ConnectorEntry, ...] = (
    ConnectorEntry(HOME, "answerable.connectors.home.fetch"),
    ConnectorEntry(REPO, "answerable.connectors.repo.fetch"),
    ConnectorEntry(AWS, "answerable.connectors.aws.fetch"),
    ConnectorEntry(AWS_KEYS, "answerable.connectors.aws_keys.fetch"),
    ConnectorEntry(AWS_ORG, "answerable.connectors.aws_org.fetch"),
    ConnectorEntry(AWS_RESOURCES, "answerable.connectors.aws_resources.fetch"),
    ConnectorEntry(POSTGRES, "answerable.connectors.postgres.fetch"),
    ConnectorEntry(KUBERNETES, "answerable.connectors.kubernetes.fetch"),
    ConnectorEntry(GITHUB, "answerable.connectors.github.fetch"),
    ConnectorEntry(GCP, "answerable.connectors.gcp.fetch"),
    ConnectorEntry(GCP_ROLES, "answerable.connectors.gcp_roles.fetch"),
    ConnectorEntry(AZURE, "answerable.connectors.azure.fetch"),
    ConnectorEntry(OPENGRAPH, "answerable.connectors.opengraph.fetch"),
    ConnectorEntry(PEOPLE, "answerable.connectors.people.fetch"),
    ConnectorEntry(CONFIG, "answerable.connectors.config.fetch"),
    ConnectorEntry(CLOUDTRAIL, "answerable.connectors.cloudtrail.fetch"),
    ConnectorEntry(K8S_AUDIT, "answerable.connectors.k8s_audit.fetch"),
    ConnectorEntry(GITHUB_AUDIT, "answerable.connectors.github_audit.fetch"),
    ConnectorEntry(GCP_AUDIT, "answerable.connectors.gcp_audit.fetch"),
    ConnectorEntry(AZURE_ACTIVITY, "answerable.connectors.azure_activity.fetch"),
    ConnectorEntry(ENTRA, "answerable.connectors.entra.fetch"),
    ConnectorEntry(OKTA, "answerable.connectors.okta.fetch"),
    ConnectorEntry(ANTHROPIC_AUDIT, "answerable.connectors.anthropic_audit.fetch"),
    ConnectorEntry(OPENAI_AUDIT, "answerable.connectors.openai_audit.fetch"),
    ConnectorEntry(BEDROCK, "answerable.connectors.bedrock.fetch"),
    ConnectorEntry(CLAUDE_CODE, "answerable.connectors.claude_code.fetch"),
    ConnectorEntry(OTEL, "answerable.connectors.otel.fetch"),
    ConnectorEntry(GATEWAY, "answerable.connectors.gateway.fetch"),
)

# Used by use cases, never named on the command line.
REFERENCES: tuple[ConnectorEntry, ...] = (
    ConnectorEntry(IAM_CATALOGUE, "answerable.connectors.iam_catalogue.fetch"),
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
        if each.spec.name == name:
            return each
    names = [e.spec.name for e in CONNECTORS if kind in ("", e.spec.gives)]
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
