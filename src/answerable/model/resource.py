"""Resources: what actions act on."""

from dataclasses import dataclass

from answerable.model.ids import ResourceId
from answerable.model.written import Seen


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource known by name.

    Attributes:
        id: ARN or URI.
        kind: `s3:bucket`, `lambda:function` ...
        account: Account that owns it, empty where not collected.
        tags: Sorted pairs.
        seen: Provenance.
    """

    id: ResourceId
    kind: str
    account: str
    tags: tuple[tuple[str, str], ...]
    seen: Seen
