"""One line under every answer: what it rests on, how old that is, what is missing."""

from collections.abc import Collection, Iterator

from answerable.cli.look.ages import age
from answerable.cli.look.screen import Screen
from answerable.cli.look.text import safe
from answerable.model.document import Coverage

# The words of coverage as people say them, and the source that would supply them.
_WORDS = {
    "identity-policies": ("identity policies", "aws"),
    "boundaries": ("permissions boundaries", "aws"),
    "role-trust": ("role trust", "aws"),
    "access-keys": ("access keys", "aws-keys"),
    "organization": ("organization", "aws-org"),
    "scp": ("SCPs", "aws-org"),
    "rcp": ("RCPs", "aws-org"),
    "resource-policies": ("resource policies", "aws-resources"),
    "resource-tags": ("resource tags", "aws-resources"),
    "public-access-block": ("public-access blocks", "aws-resources"),
    "s3-access-points": ("S3 access points", "aws-resources"),
    "kms-grants": ("KMS grants", "aws-resources"),
    "running-code": ("running code", "aws-resources"),
    "session-policies": ("session policies", ""),
    "endpoint-policies": ("endpoint policies", ""),
    "last-used": ("last use", "aws"),
    "agent-configs": ("agent configs", "home"),
    "ambient-credentials": ("ambient credentials", "home"),
    "workflows": ("workflows", "repo"),
    "codeowners": ("CODEOWNERS", "repo"),
    "cloudtrail": ("CloudTrail", "cloudtrail"),
    "gateway": ("gateway records", ""),
    "data-events": ("data events", "cloudtrail"),
    "s3-acls": ("S3 ACLs", ""),
    "action-catalogue": ("the catalogue's word on this action", ""),
}
# No source holds these: whoever asks may state them.
_STATED = ("session-policies", "endpoint-policies")


def coverage_line(coverage: Coverage, screen: Screen) -> str:
    """Say it in one line; a word missing stands with the source it belongs to."""
    ages = _oldest(coverage)
    missing = [word for word in coverage["not_collected"] if not _home(word, ages)]
    parts = []
    for name, oldest in ages.items():
        own = [word for word in coverage["not_collected"] if _home(word, ages) == name]
        part = f"{safe(name)} {age(oldest)}"
        if own:
            part += f" ({_list(own)} not collected)"
        parts.append(part)
    # A trail is no scanned source and has no one age; that it was read is said all the same.
    parts += [
        said
        for word, (said, source) in _WORDS.items()
        if word == source and word in coverage["seen"] and word not in ages
    ]
    stated = [word for word in missing if word in _STATED]
    missing = [word for word in missing if word not in _STATED]
    if missing:
        parts.append(f"{_list(missing)} not collected")
    if stated:
        parts.append(f"{_list(stated)} not stated")
    if coverage["partial"]:
        parts.append("partial: a source could not be read whole")
    return "coverage: " + (screen.marks.dot.join(parts) or "nothing scanned yet")


def _oldest(coverage: Coverage) -> dict[str, int]:
    """Take the oldest view of each kind of source."""
    ages: dict[str, int] = {}
    for source in coverage["sources"]:
        name = source["source"].partition(":")[0]
        ages[name] = max(ages.get(name, 0), source["age_s"])
    return ages


def _home(word: str, names: Collection[str]) -> str:
    """Choose the source beside which a missing word stands, empty for none of these."""
    source = _WORDS.get(kind(word), ("", ""))[1]
    family = source.partition("-")[0]
    return next((name for name in (source, family) if name and name in names), "")


def _list(words: list[str]) -> str:
    return ", ".join(_said(word) for word in words)


def kind(word: str) -> str:
    """Take the word of coverage without the place of which it is missing."""
    return word.partition(" (")[0]


def _said(word: str) -> str:
    """Say a word as people do, and of which account it is missing."""
    bare = kind(word)
    if bare not in _WORDS:
        return safe(word)
    place = word.removeprefix(bare).strip(" ()")
    return _WORDS[bare][0] + (f" of {safe(place)}" if place else "")


def incomplete(coverage: Coverage, allowed: bool) -> Iterator[str]:
    """Say on standard error which source could not be read whole.

    Args:
        coverage: Of the answer.
        allowed: True when `--allow-partial` was given.
    """
    if not coverage["partial"]:
        return
    lame = [source for source in coverage["sources"] if source["problems"]]
    for source in lame[:3]:
        first, *rest = source["problems"]
        more = f" (and {len(rest)} more)" if rest else ""
        yield f"warning: {source['source']}: {first}{more}"
    if len(lame) > 3:
        yield f"warning: and {len(lame) - 3} more sources; -o json lists them"
    if not allowed:
        yield "hint: this answer is partial; --allow-partial makes its exit code 0"


def words(missing: list[str]) -> str:
    """Name what was not collected, as people say it."""
    return _list(missing)
