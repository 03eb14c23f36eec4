"""Check ARNs and ARN globs of a question against the catalogue's resource types.

A mistyped ARN would otherwise be answered `never`. Source of the
form: AWS IAM User Guide, "IAM ARNs"; of the types: AWS Service Authorization Reference,
"Resource types defined by SERVICE".
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.errors import UsageError
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.action_validation import (
    GetPolicyNames,
    LoadCatalogue,
    suggest_service,
)
from answerable.reach.aws.patterns.action_resource_matrix import (
    split_resource_type_arns,
)
from answerable.reach.aws.patterns.arn_matching import (
    ArnParts,
    overlaps_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import (
    decode_glob,
    encode_glob,
    has_no_wildcard,
)

ARN_FORM = "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE"
_PARTITION, _SERVICE, _REGION, _ACCOUNT, _RESOURCE = 1, 2, 3, 4, 5
# Source: AWS General Reference, "Amazon Resource Names"; `aws-iso-e` and `aws-eusc` are
# in the SDKs' own list of partitions.
_PARTITIONS = re.compile(r"aws(-cn|-us-gov|-iso|-iso-b|-iso-e|-iso-f|-eusc)?")
_ACCOUNT_NUMBER = re.compile(r"[0-9]{12}")
# Sessions appear in logs and policies, but are no resource type of `sts`.
# Source: AWS IAM User Guide, "IAM identifiers".
_SESSIONS = ("arn:*:sts::*:assumed-role/*/*",)
_SIMILARITY_CUTOFF = 0.7
_MAX_FORMS = 4


def check_resource_arn(
    text: str,
    facts: SightedFacts,
    load_catalogue: LoadCatalogue,
    get_policy_names: GetPolicyNames,
) -> None:
    """Raise an error for an ARN or ARN glob that no resource can have.

    A collected resource is accepted, and so is one that a collected policy names,
    or one of a service without resource types in the catalogue.

    Args:
        text: An ARN, which may hold wildcards.
        facts: The snapshot's.
        load_catalogue: Loads services of the catalogue; None loads them all.
        get_policy_names: Names that collected policies use.

    Raises:
        UsageError: No resource type has such ARNs.
    """
    problem = _find_unknown_type_error(text, load_catalogue, get_policy_names)
    if problem is not None and not _is_collected_arn(facts, text):
        raise problem


def _find_unknown_type_error(
    text: str, load_catalogue: LoadCatalogue, get_policy_names: GetPolicyNames
) -> UsageError | None:
    """Return the error of an ARN that fits no resource type, else None."""
    parts = split_glob_arn(encode_glob(text))
    wrong = _find_arn_form_error(text, parts, load_catalogue)
    if wrong is not None:
        return wrong
    service = decode_glob(parts[_SERVICE])
    if not has_no_wildcard(parts[_SERVICE]):
        return None
    held = load_catalogue([service])
    if _matches_resource_type(held, parts):
        return _find_missing_region_error(text, parts, held)
    whole = load_catalogue(None)
    if _matches_resource_type(
        whole, parts
    ) or get_policy_names().overlaps_resource_pattern(parts):
        return None
    forms = list(_list_service_arn_patterns(whole, service))
    if not forms and service in whole.known:
        return None
    if not forms:
        close = suggest_service(service, _list_arn_services(whole))
        near = _replace_arn_part(parts, _SERVICE, close) if close else ""
        return _build_impossible_arn_error(text, f"unknown service {service!r}", near)
    return _build_impossible_arn_error(
        text,
        f"it matches no resource type of {service}",
        *_suggest_similar_arn(parts, forms),
    )


def _is_collected_arn(facts: SightedFacts, text: str) -> bool:
    """Return whether a resource with this ARN was collected."""
    return text in facts.resources_by_id() or text in facts.identities_by_id()


def _find_region_error(text: str, parts: ArnParts) -> UsageError | None:
    """Check the name of the region."""
    from answerable.reach.aws.region_validation import is_region_name, suggest_region

    region = parts[_REGION]
    if is_region_name(region):
        return None
    near = suggest_region(region)
    near = _replace_arn_part(parts, _REGION, near) if near else ""
    return _build_impossible_arn_error(text, f"unknown region {region!r}", near)


def _find_arn_form_error(
    text: str, parts: ArnParts, load_catalogue: LoadCatalogue
) -> UsageError | None:
    """Check the form shared by the ARNs of all services."""
    written = text.split(":", _RESOURCE)
    if len(written) <= _RESOURCE and not _ends_in_wildcard(written):
        return _build_impossible_arn_error(
            text, "has too few parts", _add_missing_colons(text, load_catalogue)
        )
    partition, account = parts[_PARTITION], parts[_ACCOUNT]
    if has_no_wildcard(partition) and not _PARTITIONS.fullmatch(partition):
        return _build_impossible_arn_error(
            text, f"unknown partition {partition!r}", _replace_arn_part(parts, 1, "aws")
        )
    if parts[_REGION] and has_no_wildcard(parts[_REGION]):
        error = _find_region_error(text, parts)
        if error is not None:
            return error
    if account.isdigit() and not _ACCOUNT_NUMBER.fullmatch(account):
        return UsageError(
            f"an account id has 12 digits, not {len(account)} (got {text[:120]!r}, "
            "expected 12)",
            "`answerable identities` shows the accounts that were scanned",
        )
    return (
        None
        if parts[_RESOURCE]
        else _build_impossible_arn_error(text, "names no resource", "")
    )


def _find_missing_region_error(
    text: str, parts: ArnParts, catalogue: ActionCatalogue
) -> UsageError | None:
    """Return an error if the region is missing and each type has one."""
    if parts[_REGION]:
        return None
    fitting = [
        form
        for form in _list_service_arn_patterns(catalogue, parts[_SERVICE])
        if overlaps_arn(form, parts)
    ]
    if not all(form[_REGION] for form in fitting):
        return None
    shown = decode_glob(":".join(fitting[0]))
    return _build_impossible_arn_error(
        text, "names no region", "", f"expected a form such as {shown}"
    )


# Beginnings of a service, a region and an account.
_BEGINNINGS = {2: r"[a-z0-9-]*", 3: r"([a-z]{2}(-[a-z0-9-]*)?)?", 4: r"[0-9]*"}


def _ends_in_wildcard(written: list[str]) -> bool:
    """Return whether an incomplete ARN ends in a wildcard."""
    beginning = _BEGINNINGS.get(len(written) - 1, "")
    return re.fullmatch(beginning + r"\*", written[-1]) is not None


def _add_missing_colons(text: str, load_catalogue: LoadCatalogue) -> str:
    """Add missing colons, if that gives an ARN of a known type."""
    written = text.split(":")
    for at in range(len(written) - 1, 2, -1):
        lacking = 6 - len(written)
        full = ":".join((*written[:at], *[""] * lacking, *written[at:]))
        parts = split_glob_arn(encode_glob(full))
        if parts[_RESOURCE] and _matches_resource_type(
            load_catalogue([written[2]]), parts
        ):
            return full
    return ""


def _matches_resource_type(catalogue: ActionCatalogue, parts: ArnParts) -> bool:
    """Return whether an ARN pattern fits a type of its service."""
    service = parts[_SERVICE]
    return any(
        overlaps_arn(form, parts)
        for form in _list_service_arn_patterns(catalogue, service)
    )


def _list_service_arn_patterns(
    catalogue: ActionCatalogue, service: str
) -> Iterator[ArnParts]:
    """List the ARN patterns of a service, by its name in ARNs; all for a wildcard.

    The prefix of actions may be another: `elasticfilesystem`, `servicecatalog`.
    """
    for parts in (
        *_list_resource_type_arn_patterns(catalogue),
        *map(split_glob_arn, map(encode_glob, _SESSIONS)),
    ):
        literal = has_no_wildcard(parts[_SERVICE])
        if not has_no_wildcard(service) or (literal and parts[_SERVICE] == service):
            yield parts


def _list_resource_type_arn_patterns(catalogue: ActionCatalogue) -> Iterator[ArnParts]:
    """Yield the ARN patterns of all resource types."""
    for held in catalogue.services.values():
        for kind in held.resource_types.values():
            yield from split_resource_type_arns(kind.arn)


def _list_arn_services(catalogue: ActionCatalogue) -> set[str]:
    """Return the services that ARNs or the catalogue name."""
    found = {
        parts[_SERVICE] for parts in _list_resource_type_arn_patterns(catalogue)
    } | set(catalogue.known)
    return {service for service in found if has_no_wildcard(service)}


def _suggest_similar_arn(parts: ArnParts, forms: list[ArnParts]) -> tuple[str, str]:
    """Find the nearest ARN of a type, and describe the possible forms."""
    text = decode_glob(":".join(parts))
    best, score = "", _SIMILARITY_CUTOFF
    for form in forms:
        candidate = _fill_arn_from_type_pattern(parts, form)
        if overlaps_arn(form, split_glob_arn(encode_glob(candidate))):
            found = SequenceMatcher(None, text, candidate).ratio()
            if found > score:
                best, score = candidate, found
    shown = [decode_glob(":".join(form)) for form in forms[:_MAX_FORMS]]
    more = ", ..." if len(forms) > _MAX_FORMS else ""
    return best, f"expected a form such as {', '.join(shown)}{more}"


def _fill_arn_from_type_pattern(parts: ArnParts, form: ArnParts) -> str:
    """Fill the literal parts and the leading word of a resource type into an ARN."""
    out = [
        wanted if has_no_wildcard(wanted) else got
        for got, wanted in zip(parts[:_RESOURCE], form, strict=False)
    ]
    typed, rest = _split_resource_type_word(parts[_RESOURCE])
    wanted, _ = _split_resource_type_word(form[_RESOURCE])
    if (
        typed
        and wanted
        and SequenceMatcher(None, typed, wanted).ratio() >= _SIMILARITY_CUTOFF
    ):
        return decode_glob(":".join((*out, wanted + rest)))
    return decode_glob(":".join((*out, parts[_RESOURCE])))


def _split_resource_type_word(resource: str) -> tuple[str, str]:
    """Split the word that names a type, with its separator, from the rest."""
    ends = [at for sign in "/:" if (at := resource.find(sign)) > 0]
    end = min(ends) + 1 if ends else 0
    literal = has_no_wildcard(resource[:end])
    return (resource[:end], resource[end:]) if literal else ("", resource)


def _replace_arn_part(parts: ArnParts, position: int, value: str) -> str:
    """Return ARN parts as text, with one part replaced."""
    return decode_glob(":".join((*parts[:position], value, *parts[position + 1 :])))


def _build_impossible_arn_error(
    text: str, reason: str, suggestion: str, form: str = ""
) -> UsageError:
    """Build the error for an ARN that cannot exist, with a suggestion."""
    hint = f"did you mean {suggestion}?" if suggestion else form
    hint = hint or "a bucket or object may be written s3://BUCKET/KEY"
    return UsageError(
        f"no such ARN (got {text[:160]!r}: {reason}, expected {ARN_FORM})", hint
    )
