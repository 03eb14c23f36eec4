"""Convert learned entity patterns to resource patterns of AWS policies.

A `*`, `?` or `$` in a name is a letter there, and is written as a policy variable with a
fixed value. Source: IAM User Guide, "IAM policy elements: Variables and tags".
"""

from answerable.model.action_catalogue import ActionCatalogue, ActionEntry
from answerable.model.baseline import EntityPattern, GeneralisationLevel
from answerable.model.behaviour import EntityKind
from answerable.model.text_pattern import matches_parts_between_wildcards

ANY_RESOURCE = "*"
_LETTERS = str.maketrans({"$": "${$}", "*": "${*}", "?": "${?}"})
_EXPRESSIBLE = (GeneralisationLevel.EXACT, GeneralisationLevel.PREFIX)
_S3 = "s3://"


def escape_resource(text: str) -> str:
    """Write a name as a pattern that matches it alone."""
    return text.translate(_LETTERS)


def build_resource_pattern(pattern: EntityPattern) -> str:
    """Return the resource pattern of a learned entity; empty if none is as narrow."""
    text = pattern.text
    if pattern.kind is EntityKind.S3 and text.startswith(_S3):
        text = f"arn:aws:s3:::{text.removeprefix(_S3)}"
    elif pattern.kind is not EntityKind.ARN:
        return ""
    if pattern.level not in _EXPRESSIBLE or text.count(":") < 5:
        return ""
    ending = "*" if pattern.level is GeneralisationLevel.PREFIX else ""
    return escape_resource(text) + ending


def is_resource_of_action(
    catalogue: ActionCatalogue, action: ActionEntry, resource: str
) -> bool:
    """Return whether an action can be granted on a resource, by the ARN's type.

    Of several types that fit, the one with the most letters decides: an S3 object also
    fits the pattern of a bucket.
    """
    types = catalogue.services[action.service].resource_types.values()
    fitting = [each for each in types if matches_arn_pattern(each.arn, resource)]
    most = max((_count_letters(each.arn) for each in fitting), default=0)
    return any(
        each.name in action.resource_types
        for each in fitting
        if _count_letters(each.arn) == most
    )


def matches_arn_pattern(pattern: str, text: str) -> bool:
    """Return whether an ARN, or a prefix of ARNs, matches a pattern of a type."""
    return matches_parts_between_wildcards(text, pattern.split("*"))


def _count_letters(pattern: str) -> int:
    """Count the characters of a pattern that are no wildcards."""
    return len(pattern) - pattern.count("*")
