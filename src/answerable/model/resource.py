"""Types of cloud resources that actions act on."""

from dataclasses import dataclass

from answerable.model.ids import IdentityId, ResourceId
from answerable.model.provenance import FactProvenance

NO_RESOURCE = ResourceId("")
NO_IDENTITY = IdentityId("")


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource known by name.

    Attributes:
        id: ARN or URI.
        kind: `s3:bucket`, `s3:accesspoint`, `kms:key`, `lambda:function` ...
        account: Account that owns it, empty where not collected.
        tags: Sorted pairs.
        behind: The resource that this one gives access to: the bucket of an access
            point; empty for all others.
        runs_as: The identity that code in it runs as; empty where there is none.
        network: The only permitted source network (`vpc-...`); empty for any.
    """

    id: ResourceId
    kind: str
    account: str
    tags: tuple[tuple[str, str], ...]
    seen: FactProvenance
    behind: ResourceId = NO_RESOURCE
    runs_as: IdentityId = NO_IDENTITY
    network: str = ""


@dataclass(frozen=True, slots=True)
class PublicAccessBlock:
    """Public access block of a bucket, an access point or a whole account.

    Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage".

    Attributes:
        target: ARN of a bucket or of an access point, or an account number.
        restrict_public_buckets: Under a public policy only principals of the owner's
            account and AWS services have access.
        block_public_policy: A public policy cannot be attached; an existing one is not
            affected.
    """

    target: str
    restrict_public_buckets: bool
    block_public_policy: bool
    seen: FactProvenance
