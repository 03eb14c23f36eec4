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
STEPS = "cross-platform-steps"
# Stands for the workflows and users of organizations that were not scanned.
PROVIDER = "oidc-provider/token.actions.githubusercontent.com"


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
    return list(_JUDGES.get(kind, _lists)(full, less))


def _can(full: Mapping[str, Any], less: Mapping[str, Any]) -> Iterator[str]:
    (before,), (after,) = full["items"], less["items"]
    # Steps over a platform that was not scanned are an assumption by name, under which
    # no `--expect` holds; only an answer that rested on such steps may become one.
    crossed = before["verdict"] == "not-known" or len(_list_platforms(before)) > 1
    assumed = crossed and STEPS in after["assuming"]
    # What is not known any more may have been anything: that is no no.
    if strength(after) > max(1, strength(before)) and not assumed:
        yield f"{before['verdict']} became {after['verdict']} {after['assuming']}"


def _rows(full: Mapping[str, Any], less: Mapping[str, Any]) -> Iterator[str]:
    """A row that is gone must be not known, of its subject or of where it was looked."""
    kept = {(i["subject"], i["action"], i["resource"]) for i in less["items"]}
    unknown = {i["subject"] for i in less["items"] if i["verdict"] == "not-known"}
    looked = less["coverage"].get("looked", {"accounts": []})["accounts"]
    # Services and providers have no account: the policies that name them are missing.
    missing = {word.partition(" (")[0] for word in less["coverage"]["not_collected"]}
    unnamed = bool(missing & {"role-trust", "resource-policies"})
    for item in full["items"]:
        row = (item["subject"], item["action"], item["resource"])
        account = _account(item["subject"])
        told = bool(unknown & {item["subject"], ""}) or (
            account not in looked if account else unnamed
        )
        told = told or _is_named_by_steps(item, less)
        if item["verdict"] in ALLOWED and row not in kept and not told:
            yield f"{row} is gone, and is not said to be not known"
    if full["items"] and not less["items"]:
        yield "the list is empty"


def _is_named_by_steps(item: Mapping[str, Any], less: Mapping[str, Any]) -> bool:
    """Return whether a document says that steps of an item's path are not known.

    Only for a path over several platforms: the coverage names one of them, or the list
    counts identities of one that it does not evaluate.
    """
    coverage = less["coverage"]
    crossed = _list_platforms(item)
    if len(crossed) < 2:
        return False
    words = [each for each in coverage["not_collected"] if STEPS in each]
    counted = coverage.get("looked", {}).get("not_evaluated", ())
    said = [*words, *(each["kind"] for each in counted)]
    named = frozenset[str]().union(*map(_list_named_platforms, said))
    # The row of the identity provider stands for every workflow without a scan.
    provided = "github" in crossed and any(
        each["subject"].endswith(PROVIDER) and each["verdict"] in ALLOWED
        for each in less["items"]
    )
    return bool(crossed & named) or provided


_MARKS = {
    "aws": ("arn:", "aws"),
    "kubernetes": ("k8s", "kubernetes", "oidc.eks.", "pods.eks."),
    "github": ("github",),
    "gcp": ("gcp", "google", "principal:", "gserviceaccount"),
    "postgres": ("postgres",),
}


def _list_named_platforms(text: str) -> frozenset[str]:
    """List the platforms that a word of coverage names, by itself or by an id."""
    return frozenset(
        name for name, marks in _MARKS.items() if any(mark in text for mark in marks)
    )


_PREFIXES = {"arn:": "aws", "k8s:": "kubernetes", "github:": "github"}
_PREFIXES |= {"postgres:": "postgres", "//": "gcp", "principal": "gcp", "user:": "gcp"}


def _list_platforms(item: Mapping[str, Any]) -> frozenset[str]:
    """List the platforms of an item's subject, of its path and of its resource."""
    path = [each for hop in item.get("path", ()) for each in (hop["from"], hop["to"])]
    ids = (item["subject"], *path, item.get("resource", ""))
    found = (_platform(each) for each in ids)
    return frozenset(each for each in found if each)


def _platform(key: str) -> str:
    """Give the platform of an id; empty for none, as an agent has."""
    if key.endswith(".gserviceaccount.com"):
        return "gcp"
    return next((p for mark, p in _PREFIXES.items() if key.startswith(mark)), "")


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


def _what_if(full: Mapping[str, Any], less: Mapping[str, Any]) -> Iterator[str]:
    """A change that is gone must be not known; no side of a change is a stronger no."""
    # What is not known of a subject stands under the same words as a change of it.
    changes: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for item in full["items"]:
        if "unknown" not in item:
            changes.setdefault(_change(item), []).append(item)
    kept = {_change(item) for item in less["items"]}
    for item in full["items"]:
        if _change(item) not in kept and not _is_left_open(item, less):
            yield f"{_change(item)} is gone, and is not said to be not known"
    for item in less["items"]:
        was = changes.get(_change(item), [])
        for side in ("before", "after"):
            then = [_side(each, side) for each in was]
            if _side(item, side) > max([1, *then]):
                yield f"{side} of {_change(item)} is {item[side]} {item['assuming']}"
    named = all(_is_named_by_steps(item, less) for item in full["items"])
    if full["items"] and not less["items"] and not named:
        yield "the list is empty"


def _cuts(full: Mapping[str, Any], less: Mapping[str, Any]) -> Iterator[str]:
    """A set is a cut only if it was one, and breaks nothing only if that was known."""
    cuts = {_statements(item): item for item in full["items"]}
    for item in less["items"]:
        # To remove more than a cut ends a reach as well.
        of = [was for cut, was in cuts.items() if cut <= _statements(item)]
        if strength(item) > max([1, *(strength(was) for was in of)]):
            yield f"{set(_statements(item))} became {item['verdict']}"
        used = [was["breaks"]["used"] for was in of]
        if item["breaks"]["used"] == [] and [] not in used:
            yield f"{set(_statements(item))} breaks nothing, and broke {used}"
    if full["items"] and not less["items"]:
        yield "the list is empty"


def _exposures(full: Mapping[str, Any], less: Mapping[str, Any]) -> Iterator[str]:
    """A grave identity stays, or is not known; none of its verdicts becomes `never`."""
    kept = {item["subject"]: item for item in less["items"]}
    for item in full["items"]:
        now = kept.get(item["subject"])
        if now is None:
            if not _is_left_open(item, less):
                yield f"{item['subject']} is gone, and is not said to be not known"
            continue
        for name in ("admin", "public", "external"):
            if now[name] == "never" != item[name]:
                yield f"{name} of {item['subject']} was {item[name]} and is never"
        if item["becomes"] != 0 == now["becomes"]:
            yield f"{item['subject']} became {item['becomes']} others and becomes none"
    if full["items"] and not less["items"]:
        yield "the list is empty"


def _is_left_open(item: Mapping[str, Any], less: Mapping[str, Any]) -> bool:
    """Return whether a document says of an item's subject that something is not known."""
    unknown = {each["subject"] for each in less["items"] if "unknown" in each}
    looked = less["coverage"].get("looked")
    if _is_named_by_steps(item, less):
        return True
    account = _account(item["subject"])
    elsewhere = looked is not None and account and account not in looked["accounts"]
    return item["subject"] in unknown or bool(elsewhere)


def _account(subject: str) -> str:
    """Give the account of an ARN, or the server of a database's role."""
    for prefix in ("postgres:", "k8s:"):
        if subject.startswith(prefix):
            return subject.removeprefix(prefix).partition("/")[0]
    return next(iter(subject.split(":")[4:5]), "")


def _change(item: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(item[name] for name in ("kind", "subject", "action", "resource"))


def _side(item: Mapping[str, Any], side: str) -> int:
    return strength({"verdict": item[side], "assuming": item["assuming"]})


def _statements(item: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(each["id"] for each in item["statements"])


def _show(full: Mapping[str, Any], less: Mapping[str, Any]) -> Iterator[str]:
    """A link that is gone must be not known; what was known does not become `none`."""
    linked = {_relation(item) for item in full["items"] if item["value"] is not None}
    for item in less["items"]:
        if item["status"] == "none" and _relation(item) in linked:
            yield f"{_relation(item)} had links and is none"
    kept = {_relation(item) for item in less["items"]}
    for item in full["items"]:
        told = item["kind"] == "fact" or item["relation"] == "seen with"
        if not told and _relation(item) not in kept:
            yield f"{_relation(item)} is gone, and is not said to be not known"


def _relation(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["kind"], item["relation"]


_JUDGES = {
    "show": _show,
    "can": _can,
    "reach": _rows,
    "who-can": _rows,
    "what-if": _what_if,
    "what-if-cuts": _cuts,
    "reach-all": _exposures,
}
_NAMES = ("id", "agent", "action", "subject", "event_id", "source", "hop")


def _key(item: Mapping[str, Any]) -> str:
    return str([item.get(name) for name in _NAMES])
