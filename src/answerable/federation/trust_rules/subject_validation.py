"""Validate the subject of a trust rule at load."""

from collections.abc import Iterator, Mapping

from answerable.federation.trust_rules.documented_issuers import find_documented_issuer
from answerable.federation.trust_rules.faults import RuleFaultCode
from answerable.federation.trust_rules.glob import (
    MAX_PATTERN,
    REJECTED_CHARACTERS,
    STAR,
)
from answerable.model.config import IssuerConfig
from answerable.model.token_claims import ClaimPath, ClaimScalar
from answerable.model.trust_rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RuleSubject,
)

# (part of the rule, what is wrong, for people)
SubjectFault = tuple[str, RuleFaultCode, str]

MAX_CLAIMS = 32
MAX_VALUE = 1024  # characters

# Every token of an issuer has the first ones alike, and the others change each time.
_UNIDENTIFYING_CLAIMS = frozenset(
    (name,) for name in ("iss", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp")
)
_ISSUER = (("iss",), ("issuer",))


def validate_subject(
    subject: RuleSubject, url: str, issuers: Mapping[str, IssuerConfig]
) -> Iterator[SubjectFault]:
    """Find the faults of a rule's subject: issuer, claims, patterns, local user."""
    match subject:
        case IssuedSubject():
            yield from _validate_issuer(subject, url, issuers)
            yield from _validate_claims(subject)
            yield from _validate_patterns(subject)
            yield from _validate_immutable_id(subject, issuers)
        case PeerSubject():
            yield from _validate_texts("unix", subject.unit, subject.container)
            if subject.uid < 0 or (subject.gid or 0) < 0:
                yield "unix", RuleFaultCode.ROOT, "expected a user id"
        case LaunchedSubject():
            yield from _validate_texts("launched", subject.program, subject.person)
            if subject.program and not subject.program.startswith("/"):
                yield "launched", RuleFaultCode.PATTERN, "expected an absolute path"
            if subject.person and not subject.person.startswith("person:"):
                yield "launched", RuleFaultCode.PERSON, "expected a person"


def format_claim_path(path: ClaimPath) -> str:
    """Format a claim path for people."""
    return ".".join(path)


def _validate_issuer(
    subject: IssuedSubject, url: str, issuers: Mapping[str, IssuerConfig]
) -> Iterator[SubjectFault]:
    """Yield faults of the issuer: a pattern, unknown, or our own."""
    issuer = issuers.get(subject.issuer)
    if STAR in subject.issuer:
        yield (
            "issuer",
            RuleFaultCode.GLOB_ON_ISSUER,
            "expected one issuer, not a pattern",
        )
    elif issuer is None:
        yield "issuer", RuleFaultCode.ISSUER_UNKNOWN, "not defined under issuers"
    elif issuer.pin.ours or (url and issuer.pin.iss == url):
        what = (
            "tokens of this token service already belong to an agent; use delegate_to"
        )
        yield "issuer", RuleFaultCode.ISSUER_OURS, what
    for path, _ in subject.match_glob:
        if path in _ISSUER:
            yield (
                "match_glob",
                RuleFaultCode.GLOB_ON_ISSUER,
                "patterns are not supported for issuers",
            )


def _validate_claims(subject: IssuedSubject) -> Iterator[SubjectFault]:
    """Yield faults of `match`: no identifying claim, duplicates, patterns."""
    if all(path in _UNIDENTIFYING_CLAIMS for path, _ in subject.match):
        what = "expected a claim that identifies the workload"
        yield "match", RuleFaultCode.EMPTY_MATCH, what
    paths = [path for path, _ in (*subject.match, *subject.match_glob)]
    if len(set(paths)) < len(paths) or len(paths) > MAX_CLAIMS:
        what = f"expected at most {MAX_CLAIMS} claims, each only once"
        yield "match", RuleFaultCode.CLAIM_TWICE, what
    for path, value in subject.match:
        at = f"match.{format_claim_path(path)}"
        yield from _validate_claim_names("match", path)
        texts = [each for each in _wrap_scalar_in_tuple(value) if isinstance(each, str)]
        for text in texts:
            yield from _validate_text(at, text)
            if STAR in text:
                what = "`*` is a literal character in match; put patterns in match_glob"
                yield at, RuleFaultCode.PATTERN_IN_MATCH, what


def _validate_patterns(subject: IssuedSubject) -> Iterator[SubjectFault]:
    """Yield faults of the patterns in `match_glob`."""
    for path, pattern in subject.match_glob:
        at = f"match_glob.{format_claim_path(path)}"
        yield from _validate_claim_names("match_glob", path)
        yield from _validate_text(at, pattern)
        if foreign := sorted(REJECTED_CHARACTERS.intersection(pattern)):
            what = (
                f"`{foreign[0]}` is not a wildcard: a pattern is anchored, and only "
                f"`*` matches one or more characters except slashes. For the literal "
                f"character, put the claim in match"
            )
            yield at, RuleFaultCode.PATTERN, what
        elif len(pattern) > MAX_PATTERN:
            yield (
                at,
                RuleFaultCode.PATTERN,
                f"expected at most {MAX_PATTERN} characters",
            )
        elif STAR * 2 in pattern:
            yield (
                at,
                RuleFaultCode.PATTERN,
                "`**` is not supported; `*` does not match a slash",
            )


def _validate_immutable_id(
    subject: IssuedSubject, issuers: Mapping[str, IssuerConfig]
) -> Iterator[SubjectFault]:
    """Reject a rule that matches only names, if the issuer has immutable ids."""
    issuer = issuers.get(subject.issuer)
    if issuer is None:
        return
    paths = frozenset(path for path, _ in subject.match)
    asked = paths.union(path for path, _ in subject.match_glob)
    found = find_documented_issuer(
        issuer.pin, asked, reviewed=issuer.review is not None
    )
    if found is None or any(paths.issuperset(ids) for ids in found.ids):
        return
    wanted = " or ".join(
        " with ".join(map(format_claim_path, ids)) for ids in found.ids
    )
    what = f"a name of {found.kind} can be reassigned (expected {wanted})"
    yield "match", RuleFaultCode.NO_IMMUTABLE_ID, what


def _validate_claim_names(location: str, path: ClaimPath) -> Iterator[SubjectFault]:
    """Yield the faults of the names in a claim path."""
    for name in path:
        yield from _validate_text(location, name)


def _validate_texts(location: str, *texts: str) -> Iterator[SubjectFault]:
    """Yield the faults of texts that are not empty."""
    for text in texts:
        if text:
            yield from _validate_text(location, text)


def _validate_text(location: str, text: str) -> Iterator[SubjectFault]:
    """Yield a fault unless a text is printable ASCII of bounded length."""
    # Letters of other scripts look like these, and are not.
    if not text.isascii() or not text.isprintable():
        yield location, RuleFaultCode.NOT_ASCII, "expected printable ASCII"
    elif not 0 < len(text) <= MAX_VALUE:
        yield (
            location,
            RuleFaultCode.EMPTY_MATCH,
            f"expected 1 to {MAX_VALUE} characters",
        )


def _wrap_scalar_in_tuple(
    value: ClaimScalar | tuple[ClaimScalar, ...],
) -> tuple[ClaimScalar, ...]:
    """Return a claim value as a tuple, a scalar as a tuple of one."""
    return value if isinstance(value, tuple) else (value,)
