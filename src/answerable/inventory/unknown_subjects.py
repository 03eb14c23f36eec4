"""Warnings about names that no scan contains: they may be misspelled."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches

from answerable.inventory.person_directory import describe_unknown_person
from answerable.model.inventory import Inventory

_MAX_COMPARED = 5_000  # names; a comparison with more takes too long for a kill


def describe_unknown_subject(inventory: Inventory, subject: str) -> str:
    """Return a warning about an agent, credential or person that no scan contains.

    Empty for a known one, and for subjects that scans do not list, such as runs.
    """
    kind = subject.partition(":")[0]
    if kind == "person":
        return describe_unknown_person(inventory, subject)
    lists: Mapping[str, Collection[str]] = {
        "agent": inventory.agents,
        "cred": inventory.credentials,
    }
    known = lists.get(kind)
    if known is None or subject in known:
        return ""
    near = [each for each in known if abs(len(each) - len(subject)) <= 3]
    close = get_close_matches(subject[:200], near[:_MAX_COMPARED], 1, 0.8)
    suggestion = f"; did you mean {close[0]}?" if close else ""
    return f"no scan contains {subject}: check the spelling{suggestion}"
