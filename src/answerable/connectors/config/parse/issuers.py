"""Section `issuers`: trusted token issuers."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePath

from answerable.connectors.config.parse.addresses import is_name, is_url, read_path
from answerable.connectors.config.parse.config_section import Section
from answerable.federation.algorithms import KINDS
from answerable.federation.token_verification import check_issuer
from answerable.model.claims import Issuer, TokenType
from answerable.model.config import PinnedIssuer, Review
from answerable.model.errors import UsageError

ALGS = ("ES256", "RS256")
MAX_TTL = 3600
SOCKET = "unix:"
DAY = 86_400
DISCOVERY = "discovery"  # its metadata says where its keys are

TOKENS = {
    "access-token": TokenType.ACCESS_TOKEN,
    "id-token": TokenType.ID_TOKEN,
    "jwt": TokenType.JWT,
    "id-jag": TokenType.ID_JAG,
    "jwt-svid": TokenType.JWT_SVID,
}


class Jti(StrEnum):
    """Requirement of a `jti` in tokens."""

    OPTIONAL = "optional"
    REQUIRED = "required"


def read_issuers(file: Section, folder: str) -> Iterator[PinnedIssuer]:
    """Read the pinned issuers."""
    seen: set[str] = set()
    for name, section in file.named("issuers"):
        if not is_name(name):
            section.fault("", "a name of letters, digits, `.`, `_`, `-` was expected")
        issuer = _issuer(name, section, folder)
        if issuer.pin.iss in seen:
            section.fault("iss", "another issuer has this iss")
        seen.add(issuer.pin.iss)
        yield issuer


def _issuer(name: str, section: Section, folder: str) -> PinnedIssuer:
    pin = Issuer(
        name=name,
        iss=section.text("iss", None),
        algs=section.texts("algs") or ALGS,
        token_types=_tokens(section),
        max_ttl=section.seconds("max_ttl", MAX_TTL, 1, DAY),
        jti_required=section.word("jti", Jti.OPTIONAL) is Jti.REQUIRED,
        ours=section.flag("ours"),
    )
    section.check("algs", KINDS.__contains__, f"one of {', '.join(KINDS)} was expected")
    issuer = PinnedIssuer(
        pin=pin,
        audience=section.text("audience", None),
        keys=_keys(section, pin, folder),
        bearer=section.flag("bearer"),
        person=section.text("person"),
        private=section.flag("private"),
        ca=read_path(section, "ca", folder),
        review=_review(section, folder),
    )
    if pin.ours and (issuer.person or issuer.review):
        section.fault("ours", "our own tokens have no person claim and no review")
    section.close()
    if pin.iss and all(alg in KINDS for alg in pin.algs):
        try:
            check_issuer(pin)
        except UsageError as error:
            section.fault("iss", error.message)
    return issuer


def _tokens(section: Section) -> tuple[TokenType, ...]:
    words = section.texts("tokens")
    what = f"one of {', '.join(TOKENS)} was expected"
    section.check("tokens", TOKENS.__contains__, what)
    named = tuple(dict.fromkeys(TOKENS[word] for word in words if word in TOKENS))
    return named or (TokenType.ACCESS_TOKEN,)


def _keys(section: Section, pin: Issuer, folder: str) -> str:
    keys = section.text("keys", None)
    if keys == DISCOVERY:
        if not pin.iss.startswith("https:"):
            section.fault("keys", "only an issuer at an https URL has a discovery")
        return keys
    if keys.startswith(SOCKET):
        if not pin.ours:
            section.fault("keys", "only our own token service is asked at a socket")
        return SOCKET + str(PurePath(folder) / keys.removeprefix(SOCKET))
    if "://" in keys:
        if not is_url(keys, "https"):
            section.fault("keys", "an https URL, a file or `discovery` was expected")
        return keys
    return str(PurePath(folder) / keys) if keys else ""


def _review(issuer: Section, folder: str) -> Review | None:
    section = issuer.section("review")
    review = Review(
        url=section.text("url"),
        ca=read_path(section, "ca", folder),
        token=read_path(section, "token", folder),
    )
    section.close()
    if not issuer.has("review"):
        return None
    for key in ("url", "ca", "token"):
        if not section.has(key):
            section.fault("", f"{key} is missing")
    if review.url and not is_url(review.url, "https"):
        section.fault("url", "an https URL was expected")
    return review
