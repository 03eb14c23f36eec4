"""Validation of the subject of a trust rule at load."""

from collections.abc import Iterator, Mapping

from answerable.federation.trust_rules.documented_issuers import known
from answerable.federation.trust_rules.faults import Wrong
from answerable.federation.trust_rules.glob import FOREIGN, MAX_PATTERN, STAR
from answerable.model.claims import ClaimPath, Scalar
from answerable.model.config import PinnedIssuer
from answerable.model.trust_rule import (
    IssuedSubject,
    LaunchedSubject,
    PeerSubject,
    RuleSubject,
)

# (part of the rule, what is wrong, for people)
Found = tuple[str, Wrong, str]

MAX_CLAIMS = 32
MAX_VALUE = 1024  # characters

# Every token of an issuer has the first ones alike, and the others change each time.
_SAYS_NOTHING = frozenset(
    (name,) for name in ("iss", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp")
)
_ISSUER = (("iss",), ("issuer",))


def check_subject(
    subject: RuleSubject, url: str, issuers: Mapping[str, PinnedIssuer]
) -> Iterator[Found]:
    """Find the faults of a rule's subject."""
    match subject:
        case IssuedSubject():
            yield from _issuer(subject, url, issuers)
            yield from _claims(subject)
            yield from _patterns(subject)
            yield from _lasting(subject, issuers)
        case PeerSubject():
            yield from _texts("unix", subject.unit, subject.container)
            if subject.uid < 0 or (subject.gid or 0) < 0:
                yield "unix", Wrong.ROOT, "a user id was expected"
        case LaunchedSubject():
            yield from _texts("launched", subject.program, subject.person)
            if subject.program and not subject.program.startswith("/"):
                yield "launched", Wrong.PATTERN, "an absolute path was expected"
            if subject.person and not subject.person.startswith("person:"):
                yield "launched", Wrong.PERSON, "a person was expected"


def path_text(path: ClaimPath) -> str:
    """Format a claim path for people."""
    return ".".join(path)


def _issuer(
    subject: IssuedSubject, url: str, issuers: Mapping[str, PinnedIssuer]
) -> Iterator[Found]:
    issuer = issuers.get(subject.issuer)
    if STAR in subject.issuer:
        yield "issuer", Wrong.GLOB_ON_ISSUER, "one issuer was expected, no pattern"
    elif issuer is None:
        yield "issuer", Wrong.ISSUER_UNKNOWN, "no such issuer in issuers"
    elif issuer.pin.ours or (url and issuer.pin.iss == url):
        what = "our own tokens are of an agent already; delegate_to hands on"
        yield "issuer", Wrong.ISSUER_OURS, what
    for path, _ in subject.match_glob:
        if path in _ISSUER:
            yield "match_glob", Wrong.GLOB_ON_ISSUER, "an issuer has no pattern"


def _claims(subject: IssuedSubject) -> Iterator[Found]:
    if all(path in _SAYS_NOTHING for path, _ in subject.match):
        what = "a claim that identifies the workload was expected"
        yield "match", Wrong.EMPTY_MATCH, what
    paths = [path for path, _ in (*subject.match, *subject.match_glob)]
    if len(set(paths)) < len(paths) or len(paths) > MAX_CLAIMS:
        what = f"each claim was expected once, {MAX_CLAIMS} at most"
        yield "match", Wrong.CLAIM_TWICE, what
    for path, value in subject.match:
        at = f"match.{path_text(path)}"
        yield from _names("match", path)
        texts = [each for each in _scalars(value) if isinstance(each, str)]
        for text in texts:
            yield from _text(at, text)
            if STAR in text:
                what = "here `*` is a letter; patterns stand in match_glob"
                yield at, Wrong.PATTERN_IN_MATCH, what


def _patterns(subject: IssuedSubject) -> Iterator[Found]:
    for path, pattern in subject.match_glob:
        at = f"match_glob.{path_text(path)}"
        yield from _names("match_glob", path)
        yield from _text(at, pattern)
        if foreign := sorted(FOREIGN.intersection(pattern)):
            what = (
                f"`{foreign[0]}` means nothing here: a pattern is anchored, and `*` is "
                "one or more characters, no slash. For the letter itself write the claim in match"
            )
            yield at, Wrong.PATTERN, what
        elif len(pattern) > MAX_PATTERN:
            yield at, Wrong.PATTERN, f"at most {MAX_PATTERN} characters were expected"
        elif STAR * 2 in pattern:
            yield at, Wrong.PATTERN, "`**` was found; `*` never passes a slash"


def _lasting(
    subject: IssuedSubject, issuers: Mapping[str, PinnedIssuer]
) -> Iterator[Found]:
    """Reject a rule that matches only names, if the issuer has immutable ids."""
    issuer = issuers.get(subject.issuer)
    if issuer is None:
        return
    paths = frozenset(path for path, _ in subject.match)
    asked = paths.union(path for path, _ in subject.match_glob)
    found = known(issuer.pin, asked, reviewed=issuer.review is not None)
    if found is None or any(paths.issuperset(ids) for ids in found.ids):
        return
    wanted = " or ".join(" with ".join(map(path_text, ids)) for ids in found.ids)
    what = f"a name of {found.kind} can come to be another's: {wanted} was expected"
    yield "match", Wrong.NO_IMMUTABLE_ID, what


def _names(at: str, path: ClaimPath) -> Iterator[Found]:
    for name in path:
        yield from _text(at, name)


def _texts(at: str, *texts: str) -> Iterator[Found]:
    for text in texts:
        if text:
            yield from _text(at, text)


def _text(at: str, text: str) -> Iterator[Found]:
    # Letters of other scripts look like these, and are not.
    if not text.isascii() or not text.isprintable():
        yield at, Wrong.NOT_ASCII, "printable ASCII was expected"
    elif not 0 < len(text) <= MAX_VALUE:
        yield at, Wrong.EMPTY_MATCH, f"1 to {MAX_VALUE} characters were expected"


def _scalars(value: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,)
