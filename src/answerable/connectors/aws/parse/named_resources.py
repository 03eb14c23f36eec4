"""Find resources named in an account's details: policy ARNs, instance profiles."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.connectors.formats.arn_kind import resource_kind_of_arn
from answerable.model.errors import IdError
from answerable.model.identity import Identity
from answerable.model.ids import Arn, ResourceId
from answerable.model.policy import Policy
from answerable.model.provenance import FactProvenance
from answerable.model.resource import Resource

_WILD = "*?$"
# These are identities and policies, known as such.
_NOT_RESOURCES = {"iam", "sts", "organizations"}


def find_named_resources(policy: Policy) -> Iterator[Resource]:
    """Yield each resource named by a policy; for an S3 object pattern, its bucket."""
    for statement in policy.statements:
        for pattern in statement.resources + statement.not_resources:
            found = _build_resource_of_arn_pattern(pattern, policy.seen)
            if found:
                yield found


def find_instance_profiles(arns: Iterable[str], role: Identity) -> Iterator[Resource]:
    """Yield the instance profiles of a role."""
    for text in arns:
        try:
            arn = Arn.parse(text)
        except IdError:
            continue
        if arn.service == "iam" and text.isprintable():
            kind = resource_kind_of_arn(arn)
            found = Resource(ResourceId(text), kind, arn.account, (), role.seen)
            yield replace(found, runs_as=role.id)


def _build_resource_of_arn_pattern(
    pattern: str, provenance: FactProvenance
) -> Resource | None:
    """Return the resource of a full ARN; None for a pattern with wildcards."""
    try:
        arn = Arn.parse(pattern)
    except IdError:
        return None
    if arn.service in _NOT_RESOURCES or not pattern.isprintable():
        return None
    if arn.service == "s3" and not arn.region and not arn.account:
        bucket = arn.resource.split("/")[0]
        arn = Arn(arn.partition, "s3", "", "", bucket)
    text = str(arn)
    if not arn.resource or any(letter in text for letter in _WILD):
        return None
    return Resource(
        ResourceId(text), resource_kind_of_arn(arn), arn.account, (), provenance
    )
