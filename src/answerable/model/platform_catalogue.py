"""Permission data of one platform, such as grants, as platform-specific JSON."""

from dataclasses import dataclass

from answerable.model.provenance import FactProvenance


@dataclass(frozen=True, slots=True)
class PlatformCatalogue:
    """Permission data that one source has about one platform.

    The connector encodes it, and the platform's package in `reach` decodes it; nothing
    between them reads it.

    Attributes:
        platform: Name of the platform, e.g. `postgres`.
        place: The server, cluster or account that it describes.
        body: JSON of the platform's own type.
    """

    platform: str
    place: str
    body: str
    seen: FactProvenance
