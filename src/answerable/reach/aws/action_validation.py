"""Check the actions of a question against the catalogue, and suggest spellings.

A mistyped action would otherwise be answered `never`.
"""

from collections.abc import Callable, Iterable, Iterator
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING

from answerable.model.action_catalogue import ActionCatalogue, ServiceEntry
from answerable.model.errors import UsageError
from answerable.reach.aws.patterns.glob_matching import (
    ANY_CHARACTER,
    ANY_TEXT,
    encode_glob,
    has_no_wildcard,
    matches_glob,
)

if TYPE_CHECKING:
    from answerable.reach.aws.policy_vocabulary import PolicyNames

LoadCatalogue = Callable[[Iterable[str] | None], ActionCatalogue]
GetPolicyNames = Callable[[], "PolicyNames"]

_NAME_CUTOFF = 0.8
_SERVICE_CUTOFF = 0.5
_EXAMPLE = "for example s3:GetObject; `answerable reach --action GLOB` takes patterns"


def parse_action(
    text: str, load_catalogue: LoadCatalogue, get_policy_names: GetPolicyNames
) -> str:
    """Parse an action and return it in the format of its service.

    An action that the catalogue does not hold may be new: it is an error only if
    another one has a similar spelling and no collected policy names it.

    Args:
        text: As typed.
        load_catalogue: Loads services of the catalogue; None loads them all.
        get_policy_names: Names that collected policies use.

    Raises:
        UsageError: The text is no action.
    """
    asked = text.strip()
    service, colon, name = asked.partition(":")
    if not colon or not service or not name or "*" in asked or "?" in asked:
        raise UsageError(
            f"not an action (got {text[:80]!r}, expected SERVICE:ACTION)", _EXAMPLE
        )
    catalogue = load_catalogue([service])
    entry = catalogue.find_action(asked)
    if entry:
        return str(entry)
    names = get_policy_names()
    if names.names_action(encode_glob(asked.lower())):
        return asked
    known = catalogue.services.get(service.lower())
    if known:
        near = _suggest_action_of_service(known, service.lower(), name)
        if near:
            raise _build_unknown_action_error(text, near)
        return asked
    if not names.names_service(service.lower()):
        raise UsageError(
            f"unknown service (got {text[:80]!r})",
            _format_spelling_suggestion(
                _suggest_service_with_action(
                    load_catalogue(None), service.lower(), name
                )
            )
            or _EXAMPLE,
        )
    return asked


def check_action_glob(
    text: str, load_catalogue: LoadCatalogue, get_policy_names: GetPolicyNames
) -> None:
    """Raise an error for an action glob that no action can match.

    Args:
        text: As typed: a glob over `service:Action`, in any case.
        load_catalogue: Loads services of the catalogue; None loads them all.
        get_policy_names: Names that collected policies use.

    Raises:
        UsageError: No action of the catalogue or of a collected policy matches.
    """
    asked = text.strip()
    if ":" in asked and not set("*?") & set(asked):
        parse_action(asked, load_catalogue, get_policy_names)
        return
    near = suggest_for_unmatched_glob(asked, load_catalogue)
    pattern = encode_glob(asked.lower())
    if near is None or get_policy_names().matches_action_pattern(
        pattern, load_catalogue([]).known
    ):
        return
    raise UsageError(
        f"no action matches (got {text[:80]!r})",
        _format_spelling_suggestion(near) or "for example 's3:Get*'",
    )


def suggest_for_unmatched_glob(text: str, load_catalogue: LoadCatalogue) -> str | None:
    """Suggest a spelling for an action glob that matches nothing in the catalogue.

    Returns:
        None where an action matches, else the nearest spelling that matches one; empty
        where there is none.
    """
    pattern = encode_glob(text.lower())
    service, colon, _ = pattern.partition(":")
    wanted = [service] if colon and has_no_wildcard(service) else None
    if any(
        matches_glob(pattern, name)
        for name in _list_catalogue_actions(load_catalogue(wanted))
    ):
        return None
    return _suggest_action_glob(load_catalogue(None), text)


def _list_catalogue_actions(catalogue: ActionCatalogue) -> Iterator[str]:
    """Yield every `service:Action` of the catalogue."""
    for service, held in catalogue.services.items():
        for name in held.actions:
            yield f"{service}:{name}"


def _suggest_action_glob(catalogue: ActionCatalogue, text: str) -> str:
    """Suggest the nearest action glob or action that exists."""
    service, colon, name = text.partition(":")
    if not colon:
        name = service
        with_service = f"*:{name}"
        if has_no_wildcard(encode_glob(name)):
            only = _find_action_by_name(catalogue, name)
            if only:
                return only
        pattern = encode_glob(with_service.lower())
        found = any(
            matches_glob(pattern, one) for one in _list_catalogue_actions(catalogue)
        )
        return with_service if found else ""
    known = catalogue.services.get(service.lower())
    if known is not None:
        bare = encode_glob(name).replace(ANY_TEXT, "").replace(ANY_CHARACTER, "")
        return (
            _suggest_action_of_service(known, service.lower(), bare, cutoff=0.6)
            if bare
            else ""
        )
    if has_no_wildcard(encode_glob(service)):
        close = suggest_service(service.lower(), catalogue.services)
        return f"{close}:{name}" if close else ""
    return ""


def _suggest_action_of_service(
    known: ServiceEntry, service: str, name: str, cutoff: float = _NAME_CUTOFF
) -> str:
    """Suggest the nearest action of a service."""
    names = {action.name.lower(): action.name for action in known.actions.values()}
    close = get_close_matches(name.lower(), names, n=1, cutoff=cutoff)
    return f"{service}:{names[close[0]]}" if close else ""


def _suggest_service_with_action(
    catalogue: ActionCatalogue, service: str, name: str
) -> str:
    """Suggest the nearest service with this action, else any nearest."""
    every = catalogue.services
    having = sorted(s for s, entry in every.items() if name.lower() in entry.actions)
    close = get_close_matches(service, having, n=1, cutoff=0.4)
    if close:
        return str(every[close[0]].actions[name.lower()])
    near = suggest_service(service, every)
    return f"{near}:{name}" if near else _find_action_by_name(catalogue, name)


def _find_action_by_name(catalogue: ActionCatalogue, name: str) -> str:
    """Find the action with a name that one service has; among several, that of S3."""
    every, folded = catalogue.services, name.lower()
    having = sorted(s for s, entry in every.items() if folded in entry.actions)
    if len(having) > 1 and "s3" in having:
        having = ["s3"]
    return str(every[having[0]].actions[folded]) if len(having) == 1 else ""


def suggest_service(service: str, known: Iterable[str]) -> str:
    """Suggest the nearest service prefix; the same first letter wins a tie."""

    def nearness(other: str) -> tuple[float, bool]:
        ratio = SequenceMatcher(None, other, service).ratio()
        return round(ratio, 2), other[0] == service[0]

    close = get_close_matches(service, sorted(known), n=20, cutoff=_SERVICE_CUTOFF)
    return max(close, key=nearness, default="")


def _build_unknown_action_error(text: str, suggestion: str) -> UsageError:
    """Build the error for an unknown action, with a suggestion."""
    return UsageError(
        f"unknown action (got {text[:80]!r})", _format_spelling_suggestion(suggestion)
    )


def _format_spelling_suggestion(suggestion: str) -> str:
    """Format a suggestion as a "did you mean" hint, empty without one."""
    return f"did you mean {suggestion}?" if suggestion else ""
