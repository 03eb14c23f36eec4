"""The law of a removed source: fewer facts never make a stronger no.

Strength of a no, docs/cli.md: `never` without an assumption, `never` with one,
`not-known` and `only-if`, `always`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Items = Sequence[Mapping[str, Any]]
ALLOWED = ("always", "only-if")
# Every identity of the accounts that were not scanned.
PATTERN = "arn:aws:iam::*:*"


def strength(item: Mapping[str, Any]) -> int:
    """Rank a verdict as a no."""
    verdict = item["verdict"]
    if verdict == "never":
        return 2 if item["assuming"] else 3
    return 0 if verdict == "always" else 1


def faults(kind: str, full: Mapping[str, Any], less: Mapping[str, Any]) -> list[str]:
    """List where a document of fewer sources says a stronger no.

    Args:
        kind: Of both documents.
        full: Of every source.
        less: With one source removed.
    """
    judge = {"can": _can, "reach": _rows, "who-can": _rows}.get(kind, _lists)
    return list(judge(full, less))


def _can(full: Mapping[str, Any], less: Mapping[str, Any]) -> Iterator[str]:
    (before,), (after,) = full["items"], less["items"]
    # What is not known any more may have been anything: that is no no.
    if strength(after) > max(1, strength(before)):
        yield f"{before['verdict']} became {after['verdict']} {after['assuming']}"


def _rows(full: Mapping[str, Any], less: Mapping[str, Any]) -> Iterator[str]:
    """A row that is gone must be not known, of its subject or of where it was looked."""
    kept = {(i["subject"], i["action"], i["resource"]) for i in less["items"]}
    unknown = {i["subject"] for i in less["items"] if i["verdict"] == "not-known"}
    looked = less["coverage"].get("looked", {"accounts": []})["accounts"]
    for item in full["items"]:
        row = (item["subject"], item["action"], item["resource"])
        account = next(iter(item["subject"].split(":")[4:5]), "")
        told = item["subject"] in unknown or (account and account not in looked)
        if item["verdict"] in ALLOWED and row not in kept and not told:
            yield f"{row} is gone, and is not said to be not known"
    if full["items"] and not less["items"]:
        yield "the list is empty"


def _lists(full: Mapping[str, Any], less: Mapping[str, Any]) -> Iterator[str]:
    """Nothing, and no number in an item, is 0 unless what is missing is named."""
    named = less["coverage"]["not_collected"] or not less["coverage"]["sources"]
    if full["items"] and not less["items"] and not named:
        yield "the list is empty, and nothing is said to be missing"
    before = {_key(item): item for item in full["items"]}
    for item in less["items"]:
        was = before.get(_key(item), {})
        for name, value in item.items():
            counted = isinstance(value, int) and not isinstance(value, bool)
            # A count in SQL is the query's own; hops that are missing name a source.
            unsaid = not ("supplied_by" in item or (name == "n" and named))
            if counted and not value and was.get(name) and unsaid:
                yield f"{name} of {_key(item)} was {was[name]} and is 0"
            empty = value == [] and "hops" not in item  # a missing hop names its source
            if empty and was.get(name) and not named:
                yield f"{name} of {_key(item)} is empty, and nothing is missing"
            if value == "never" and was.get(name) in (*ALLOWED, "not-known"):
                yield f"{name} of {_key(item)} was {was[name]} and is never"


_NAMES = ("id", "agent", "action", "subject", "event_id", "source", "hop")


def _key(item: Mapping[str, Any]) -> str:
    return str([item.get(name) for name in _NAMES])
