"""Reads of resources whose tags say that their data is sensitive.

A tag can only raise the severity of a finding.
"""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.model.inventory import Inventory
from answerable.model.resource import Resource

_MOST_RESOURCES = 50
_TAG_KEYS = (
    "classification",
    "dataclassification",
    "datasensitivity",
    "sensitivity",
    "confidentiality",
)
_TAG_VALUES = (
    "confidential",
    "restricted",
    "secret",
    "sensitive",
    "high",
    "pii",
    "phi",
    "pci",
)
# Action that reads the data of a resource, and the part of the resource that it names.
_READS = {
    "s3:bucket": ("s3:GetObject", "/*"),
    "secretsmanager:secret": ("secretsmanager:GetSecretValue", ""),
    "sqs:queue": ("sqs:ReceiveMessage", ""),
    "dynamodb:table": ("dynamodb:GetItem", ""),
}


def list_sensitive_reads(inventory: Inventory) -> Sequence[tuple[str, str]]:
    """List the calls that read tagged data: action and resource, at most 50."""
    found = [
        (_READS[each.kind][0], f"{each.id}{_READS[each.kind][1]}")
        for each in cast("Iterator[Resource]", inventory.facts.iterate("resources"))
        if each.kind in _READS and _has_sensitive_tag(each.tags)
    ]
    return found[:_MOST_RESOURCES]


def _has_sensitive_tag(tags: tuple[tuple[str, str], ...]) -> bool:
    """Return whether a tag says that the data is sensitive."""
    return any(
        key.lower().replace("-", "").replace("_", "").replace(":", "") in _TAG_KEYS
        and value.lower() in _TAG_VALUES
        for key, value in tags
    )
