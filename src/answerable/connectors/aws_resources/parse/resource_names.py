"""Resolve queried ids (names, URLs, short ids) to resource ARNs."""

import re
from collections import defaultdict
from dataclasses import dataclass, field

from answerable.connectors.formats.arn_kind import resource_kind_of_arn
from answerable.model.errors import IdError
from answerable.model.ids import Arn

_LIMIT = 2048
# Amazon S3 User Guide, "Bucket naming rules"; old buckets have upper case and `_`.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_QUEUE = re.compile(
    r"https?://(?:sqs\.(?P<new>[a-z0-9-]{4,30})|(?P<old>[a-z0-9-]{4,30})\.queue)"
    r"\.amazonaws\.com(?:\.cn)?/(?P<account>\d{12})/(?P<name>[A-Za-z0-9_.-]{1,80})"
)
_NOT_RESOURCES = {"iam", "sts", "organizations"}


def parse_resource_arn(text: str, kind: str = "") -> Arn | None:
    """Parse the ARN of a resource, optionally of one kind."""
    try:
        arn = Arn.parse(text)
    except IdError:
        return None
    whole = arn.resource and text.isprintable() and len(text) <= _LIMIT
    if not whole or any(letter in text for letter in "*?$ "):
        return None
    if kind:
        return arn if resource_kind_of_arn(arn) == kind else None
    return None if arn.service in _NOT_RESOURCES else arn


@dataclass(slots=True)
class ResourceNames:
    """Index from names in the lists to ARNs.

    Attributes:
        partition: Partition of S3 buckets, known only from the caller's ARN.
    """

    partition: str = "aws"
    _known: dict[tuple[str, str], set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def add(self, arn: Arn, *names: str) -> None:
        """Add a resource by the last part of its ARN and by other names."""
        kind, text = resource_kind_of_arn(arn), str(arn)
        last = arn.resource.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
        whole = arn.resource.partition("/")[2]  # a repository's name has slashes
        for name in {last, whole, *names} - {""}:
            self._known[kind, name].add(text)

    def bucket_arn(self, name: str) -> Arn | None:
        """Build the ARN of a bucket."""
        if name.startswith("arn:"):
            return parse_resource_arn(name, "s3:bucket")
        if not _BUCKET.fullmatch(name):
            return None
        return Arn(self.partition, "s3", "", "", name)

    def resolve(self, queried_id: str, kind: str) -> Arn | None:
        """Resolve an id to a resource; None for no or several matches."""
        if kind == "s3:bucket":
            return self.bucket_arn(queried_id)
        if queried_id.startswith("arn:"):
            return parse_resource_arn(queried_id, kind)
        if kind == "sqs:queue" and (url := _QUEUE.fullmatch(queried_id)):
            region = url["new"] or url["old"]
            return Arn(self.partition, "sqs", region, url["account"], url["name"])
        known = self._known.get((kind, queried_id), set())
        return Arn.parse(next(iter(known))) if len(known) == 1 else None
