"""The section `issuers`."""

from collections.abc import Iterator
from pathlib import PurePath

from answerable.connectors.config.parse.places import is_name, is_url
from answerable.connectors.config.parse.section import Section
from answerable.federate.algorithms import KINDS
from answerable.federate.verify import check_issuer
from answerable.model.claims import Issuer, TokenType
from answerable.model.config import PinnedIssuer
from answerable.model.errors import UsageError

ALGS = ("ES256", "RS256")
MAX_TTL = 3600
DAY = 86_400


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
    iss = section.text("iss", None)
    audience = section.text("audience", None)
    keys = section.text("keys", None)
    if "://" in keys:
        if not is_url(keys, "https"):
            section.fault("keys", "an https URL or a file was expected")
    elif keys:
        keys = str(PurePath(folder) / keys)
    algs = section.texts("algs") or ALGS
    section.check("algs", KINDS.__contains__, f"one of {', '.join(KINDS)} was expected")
    pin = Issuer(
        name=name,
        iss=iss,
        algs=algs,
        token_types=(TokenType.ACCESS_TOKEN,),
        max_ttl=section.number("max_ttl", MAX_TTL, 1, DAY),
        ours=section.flag("ours"),
    )
    bearer = section.flag("bearer")
    section.close()
    if iss and all(alg in KINDS for alg in algs):
        try:
            check_issuer(pin)
        except UsageError as error:
            section.fault("iss", error.message)
    return PinnedIssuer(pin, audience, keys, bearer)
