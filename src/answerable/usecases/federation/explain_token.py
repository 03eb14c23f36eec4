"""Diagnosis of one unverified token: claims, checks, and the matching rule."""

from collections.abc import Callable, Iterator

from answerable.connectors.config.parse.config_file import Reading
from answerable.federation.errors import TokenRefused
from answerable.federation.jwk_set import KeySet
from answerable.federation.jws_parsing import Admitted, admit
from answerable.federation.spiffe_id import trust_domain
from answerable.federation.strict_json import JsonObject
from answerable.federation.token_verification import Issuers, KnownIssuer, verify
from answerable.model.config import Config, PinnedIssuer
from answerable.model.documents.core import Document
from answerable.model.documents.trust_rules import TokenCheckItem
from answerable.presentation.inventory_lists import no_coverage
from answerable.services.federation.trust_rules import claimed, fits

# Returns an issuer's keys from a local file; None for keys elsewhere.
Keys = Callable[[PinnedIssuer], KeySet | None]

# Claims about subject and validity; others are not shown.
_SHOWN = ("iss", "sub", "aud", "client_id", "exp", "iat", "nbf")
_TIMES = ("exp", "iat", "nbf")
_MAX = 200  # characters of a value


def explain_token(
    unverified_token: str, reading: Reading, keys: Keys, now: int
) -> Document:
    """Explain the claims of a token, whether it would verify, and which rule matches.

    The answer contains neither the token nor its signature.

    Args:
        unverified_token: Untrusted input.
        keys: Lookup of issuer keys on this machine.
        now: NumericDate.
    """
    items = list(_checks(unverified_token, reading, keys, now))
    rules: list[TokenCheckItem] = []
    if len(items) > 2 and reading.config is not None:
        # The token was parsed, and its issuer is pinned.
        payload = admit(unverified_token).payload
        rules = list(_rules(payload, reading, reading.config))
    # The check fails only if no rule matches.
    failed = any(item["ok"] is False for item in (*items, *rules[:2]))
    return Document("sts-explain", [*items, *rules], no_coverage(), failed=failed)


def _checks(
    unverified_token: str, reading: Reading, keys: Keys, now: int
) -> Iterator[TokenCheckItem]:
    config = reading.config
    try:
        admitted = admit(unverified_token)
    except TokenRefused as refused:
        yield _check("is a token", False, f"{refused.reason}: {refused.message}")
        return
    yield _check("is a token", True, _header(admitted))
    yield _check("claims (not verified)", True, _says(admitted, now))
    if config is None:
        return
    issuer = _issuer(admitted.payload, config)
    hint = "issuers in the configuration names those that are taken"
    if issuer is None:
        yield _check("its issuer is pinned", False, "no issuer has this iss", hint)
        return
    yield _check("its issuer is pinned", True, f"issuers.{issuer.pin.name}")
    yield _verifies(unverified_token, issuer, keys(issuer), now)


def _header(admitted: Admitted) -> str:
    head = admitted.head
    typ = head.typ or "none"
    return f"alg {head.alg}, typ {typ}, kid {head.kid or 'none'}"


def _says(admitted: Admitted, now: int) -> str:
    said = []
    for name in _SHOWN:
        value = admitted.payload.get(name)
        if name in _TIMES and type(value) is int:
            said.append(f"{name} {_when(value, now)}")
        elif isinstance(value, str | list):
            said.append(f"{name} {str(value)[:_MAX]}")
    others = len(admitted.payload.keys() - set(_SHOWN))
    return ", ".join((*said, f"and {others} more"))


def _when(value: int, now: int) -> str:
    away = value - now
    return f"in {away} s" if away > 0 else f"{-away} s ago"


def _issuer(payload: JsonObject, config: Config) -> PinnedIssuer | None:
    named = (payload.get("iss"), trust_domain(payload.get("sub")))
    return next((each for each in config.issuers if each.pin.iss in named), None)


def _verifies(
    unverified_token: str, issuer: PinnedIssuer, keys: KeySet | None, now: int
) -> TokenCheckItem:
    """Verify the token as each type that the issuer is pinned for."""
    if keys is None:
        hint = "only keys in a local file are read here"
        return _check("verifies", None, "its issuer's keys are not at hand", hint)
    known = Issuers(KnownIssuer(issuer.pin, issuer.audience, keys))
    why: list[str] = []
    for token_type in issuer.pin.token_types:
        kind = token_type.rsplit(":", 1)[-1]
        try:
            verify(unverified_token, known, now, token_type)
        except TokenRefused as refused:
            why.append(f"as {kind}: {refused.reason}, {refused.message}")
        else:
            return _check("verifies", True, f"as {kind}, for {issuer.audience}")
    return _check("verifies", False, "; ".join(why))


def _rules(
    payload: JsonObject, reading: Reading, config: Config
) -> Iterator[TokenCheckItem]:
    """Check whether rules are in force and which one matches, with the reasons."""
    hint = "answerable sts rules shows them"
    holds = reading.holds_rules
    yield _check("the rules are in force", holds, "" if holds else "one is wrong", hint)
    items = fits(reading.rules, claimed(payload, config))
    fitting = [item["rule"] for item in items if item["fits"]]
    yield _check("one rule fits", len(fitting) == 1, ", ".join(fitting) or "none does")
    for item in items:
        what = f"{item['claim']} is {item['how']}, expected {item['expected']}"
        detail = f"as {item['agent']}" if item["fits"] else what
        yield _check(f"rule {item['rule']} fits", item["fits"], detail)


def _check(check: str, ok: bool | None, detail: str, hint: str = "") -> TokenCheckItem:
    return {"check": check, "ok": ok, "detail": detail, "hint": hint}
