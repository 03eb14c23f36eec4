"""Load the packaged catalogue of predefined roles, and read role definitions."""

import lzma
from functools import cache
from pathlib import Path

import msgspec

from answerable.connectors.api_response_file import probe_answer_file, read_answer_file
from answerable.connectors.gcp_roles.declaration import DECLARATION
from answerable.connectors.gcp_roles.parse import parse_catalogue, parse_roles
from answerable.model.connector import SyncContext
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.platform_catalogue import PlatformCatalogue
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import Probe, SightedFacts, Sync
from answerable.reach.gcp.catalogue import GoogleCloudEstate
from answerable.reach.gcp.role_catalogue import PredefinedRoles

EXPECTED_KIND = "roles with permissions as JSON"
ROLE_FILE = Path(__file__).parent / "predefined_roles.json.xz"
MAX_FILE_BYTES = 64 << 20
_ROLES_NAME = "custom-roles"


@cache
def load_predefined_roles() -> PredefinedRoles:
    """Load the packaged catalogue of predefined roles.

    Raises:
        EnvironmentFailure: The file is missing or damaged.
    """
    try:
        return parse_catalogue(lzma.decompress(ROLE_FILE.read_bytes()))
    except (OSError, lzma.LZMAError, msgspec.DecodeError):
        raise EnvironmentFailure(
            "the catalogue of Google Cloud roles cannot be read",
            "install the package again",
        ) from None


def sync(location: str, context: SyncContext) -> Sync:
    """Read role definitions, which come before the packaged catalogue.

    Raises:
        UsageError: The file is missing, or has no role.
        EnvironmentFailure: The file is not readable.
    """
    source = f"{DECLARATION.name}:{location}"
    data = read_answer_file(location, EXPECTED_KIND, MAX_FILE_BYTES)
    roles, problems = parse_roles(data, location)
    if not roles:
        why = f": {problems[0].what}" if problems else ""
        raise UsageError(
            f"{source} has no role with permissions{why}",
            "collect with: gcloud iam roles describe ROLE --format=json",
        )
    estate = GoogleCloudEstate(_ROLES_NAME, roles=tuple(roles.values()))
    seen = FactProvenance(source, location, WrittenBy.PLATFORM, context.now)
    body = msgspec.json.encode(estate).decode()
    catalogue = PlatformCatalogue("gcp", _ROLES_NAME, body, seen)
    return Sync(
        source=source,
        connector=DECLARATION.name,
        started_at=context.now,
        facts=SightedFacts(catalogues=(catalogue,)),
        probes=(Probe(location, EXPECTED_KIND, True),),
        problems=tuple(problems),
        collected=DECLARATION.collects,
    )


def list_locations_to_read(location: str) -> tuple[Probe, ...]:
    """List the file that a sync would read."""
    return (probe_answer_file(location, EXPECTED_KIND),)
