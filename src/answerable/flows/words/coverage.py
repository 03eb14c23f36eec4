"""What an answer rests on, how old that is, and what is missing, in words."""

from collections.abc import Collection

from answerable.flows.words.ages import age
from answerable.flows.words.text import safe
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
    "paths": ("paths through other identities", ""),
    "action-catalogue": ("the catalogue's word on this action", ""),
}
# No source holds these: whoever asks may state them.
_STATED = ("session-policies", "endpoint-policies")


def parts(coverage: Coverage) -> list[str]:
    """Say it piece by piece; a word missing stands with the source it belongs to."""
    ages = _oldest(coverage)
    missing = [word for word in coverage["not_collected"] if not _home(word, ages)]
    said: list[str] = []
    for name, oldest in ages.items():
        own = [word for word in coverage["not_collected"] if _home(word, ages) == name]
        part = f"{safe(name)} {age(oldest)}"
        if own:
            part += f" ({_list(own)} not collected)"
        said.append(part)
    # A trail is no scanned source and has no one age; that it was read is said all the same.
    said += [
        spoken
        for word, (spoken, source) in _WORDS.items()
        if word == source and word in coverage["seen"] and word not in ages
    ]
    stated = [word for word in missing if word in _STATED]
    missing = [word for word in missing if word not in _STATED]
    if missing:
        said.append(f"{_list(missing)} not collected")
    if stated:
        said.append(f"{_list(stated)} not stated")
    if coverage["partial"]:
        said.append("partial: a source could not be read whole")
    return said


def missing(coverage: Coverage) -> str:
    """Name all that was not collected, as people say it."""
    return _list(coverage["not_collected"])


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
