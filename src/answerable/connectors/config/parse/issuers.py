"""Parse the section `issuers`: trusted token issuers, their keys and token types."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePath

from answerable.connectors.config.parse.addresses import (
    check_name,
    is_url_without_query,
    read_path,
)
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.federation.algorithms import KEY_TYPES
from answerable.federation.token_verification import validate_issuer
from answerable.model.config import IssuerConfig, TokenReviewConfig
from answerable.model.errors import UsageError
from answerable.model.token_claims import TokenType, TrustedIssuer

DEFAULT_ALGORITHMS = ("ES256", "RS256")
MAX_TTL = 3600
SOCKET_PREFIX = "unix:"
DAY = 86_400
DISCOVERY = "discovery"  # its metadata says where its keys are

TOKEN_TYPE_WORDS = {
    "access-token": TokenType.ACCESS_TOKEN,
    "id-token": TokenType.ID_TOKEN,
    "jwt": TokenType.JWT,
    "id-jag": TokenType.ID_JAG,
    "jwt-svid": TokenType.JWT_SVID,
}


class JtiRequirement(StrEnum):
    """Requirement of a `jti` in tokens."""

    OPTIONAL = "optional"
    REQUIRED = "required"


def read_issuers(file: ConfigSection, folder: str) -> Iterator[IssuerConfig]:
    """Read the `issuers` section: whose tokens authenticate callers."""
    seen: set[str] = set()
    for name, section in file.read_named_sections("issuers"):
        check_name(section, name)
        issuer = _read_issuer(name, section, folder)
        if issuer.pin.iss in seen:
            section.report_fault("iss", "iss is already used by another issuer")
        seen.add(issuer.pin.iss)
        yield issuer


def _read_issuer(name: str, section: ConfigSection, folder: str) -> IssuerConfig:
    """Read one issuer, and validate it."""
    pin = TrustedIssuer(
        name=name,
        iss=section.read_text("iss", None),
        algs=section.read_texts("algs") or DEFAULT_ALGORITHMS,
        token_types=_read_token_types(section),
        max_ttl=section.read_seconds("max_ttl", MAX_TTL, 1, DAY),
        jti_required=section.read_enum("jti", JtiRequirement.OPTIONAL)
        is JtiRequirement.REQUIRED,
        ours=section.read_flag("ours"),
    )
    section.check_texts(
        "algs", KEY_TYPES.__contains__, f"expected one of {', '.join(KEY_TYPES)}"
    )
    issuer = IssuerConfig(
        pin=pin,
        audience=section.read_text("audience", None),
        keys=_read_keys(section, pin, folder),
        bearer=section.read_flag("bearer"),
        person=section.read_text("person"),
        private=section.read_flag("private"),
        ca=read_path(section, "ca", folder),
        review=_read_token_review(section, folder),
    )
    if pin.ours and (issuer.person or issuer.review):
        section.report_fault(
            "ours", "ours: true cannot be combined with person or review"
        )
    section.report_unknown_keys()
    if pin.iss and all(alg in KEY_TYPES for alg in pin.algs):
        try:
            validate_issuer(pin)
        except UsageError as error:
            section.report_fault("iss", error.message)
    return issuer


def _read_token_types(section: ConfigSection) -> tuple[TokenType, ...]:
    """Read the accepted token types; by default access tokens."""
    words = section.read_texts("tokens")
    what = f"expected one of {', '.join(TOKEN_TYPE_WORDS)}"
    section.check_texts("tokens", TOKEN_TYPE_WORDS.__contains__, what)
    named = tuple(
        dict.fromkeys(
            TOKEN_TYPE_WORDS[word] for word in words if word in TOKEN_TYPE_WORDS
        )
    )
    return named or (TokenType.ACCESS_TOKEN,)


def _read_keys(section: ConfigSection, issuer: TrustedIssuer, folder: str) -> str:
    """Read the source of an issuer's keys: URL, file, socket or discovery."""
    keys = section.read_text("keys", None)
    if keys == DISCOVERY:
        if not issuer.iss.startswith("https:"):
            section.report_fault(
                "keys", "discovery requires an issuer with an https URL"
            )
        return keys
    if keys.startswith(SOCKET_PREFIX):
        if not issuer.ours:
            section.report_fault("keys", "a socket requires ours: true")
        return SOCKET_PREFIX + str(PurePath(folder) / keys.removeprefix(SOCKET_PREFIX))
    if "://" in keys:
        if not is_url_without_query(keys, "https"):
            section.report_fault("keys", "expected an https URL, a file or `discovery`")
        return keys
    return str(PurePath(folder) / keys) if keys else ""


def _read_token_review(issuer: ConfigSection, folder: str) -> TokenReviewConfig | None:
    """Read the Kubernetes TokenReview settings, None if absent."""
    section = issuer.read_section("review")
    review = TokenReviewConfig(
        url=section.read_text("url"),
        ca=read_path(section, "ca", folder),
        token=read_path(section, "token", folder),
    )
    section.report_unknown_keys()
    if not issuer.has_key("review"):
        return None
    section.require("url", "ca", "token")
    if review.url and not is_url_without_query(review.url, "https"):
        section.report_fault("url", "expected an https URL")
    return review
