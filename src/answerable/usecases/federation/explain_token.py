"""Explain one unverified token: claims, signature checks and the matching rule."""

from collections.abc import Callable, Iterator

from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.federation.jwk_set import IssuerKeySet
from answerable.federation.jws_parsing import UnverifiedToken, parse_jws
from answerable.federation.spiffe_id import parse_trust_domain
from answerable.federation.strict_json import JsonObject
from answerable.federation.token_errors import TokenRejected
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_token,
)
from answerable.model.config import Config, IssuerConfig
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trust_rules import TokenCheckItem
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.services.federation.trust_rule_dry_run import (
    build_unverified_claims,
    explain_trust_rules,
)

# Returns an issuer's keys from a local file; None for keys elsewhere.
KeyLookup = Callable[[IssuerConfig], IssuerKeySet | None]

# Claims about subject and validity; others are not shown.
_SHOWN_CLAIMS = ("iss", "sub", "aud", "client_id", "exp", "iat", "nbf")
_TIME_CLAIMS = ("exp", "iat", "nbf")
_MAX = 200  # characters of a value


def explain_token(
    unverified_token: str, config_reading: ConfigReading, load_keys: KeyLookup, now: int
) -> Document:
    """Explain the claims of a token, whether it would verify, and which rule matches.

    The answer contains neither the token nor its signature.

    Args:
        unverified_token: Untrusted input.
        load_keys: Lookup of issuer keys on this machine.
        now: NumericDate.
    """
    items = list(_build_checks(unverified_token, config_reading, load_keys, now))
    rules: list[TokenCheckItem] = []
    if len(items) > 2 and config_reading.config is not None:
        # The token was parsed, and its issuer is pinned.
        payload = parse_jws(unverified_token).payload
        rules = list(
            _check_matching_rule(payload, config_reading, config_reading.config)
        )
    # The check fails only if no rule matches.
    failed = any(item["ok"] is False for item in (*items, *rules[:2]))
    return Document(
        "sts-explain", [*items, *rules], build_empty_coverage(), failed=failed
    )


def _build_checks(
    unverified_token: str, config_reading: ConfigReading, keys: KeyLookup, now: int
) -> Iterator[TokenCheckItem]:
    """Yield the checks of a token: form, claims, issuer, signature, rule."""
    config = config_reading.config
    try:
        admitted = parse_jws(unverified_token)
    except TokenRejected as refused:
        yield _build_token_check(
            "is a token", False, f"{refused.reason}: {refused.message}"
        )
        return
    yield _build_token_check("is a token", True, _format_header(admitted))
    yield _build_token_check(
        "claims (not verified)", True, _format_claims(admitted, now)
    )
    if config is None:
        return
    issuer = _find_configured_issuer(admitted.payload, config)
    hint = "`issuers` in the configuration lists the accepted issuers"
    if issuer is None:
        yield _build_token_check(
            "its issuer is pinned", False, "no issuer has this iss", hint
        )
        return
    yield _build_token_check("its issuer is pinned", True, f"issuers.{issuer.pin.name}")
    yield _check_signature(unverified_token, issuer, keys(issuer), now)


def _format_header(token: UnverifiedToken) -> str:
    """Format the algorithm, type and key id of a token."""
    head = token.head
    typ = head.typ or "none"
    return f"alg {head.alg}, typ {typ}, kid {head.kid or 'none'}"


def _format_claims(token: UnverifiedToken, now: int) -> str:
    """Format the known claims of a token, and count the others."""
    said = []
    for name in _SHOWN_CLAIMS:
        value = token.payload.get(name)
        if name in _TIME_CLAIMS and type(value) is int:
            said.append(f"{name} {_format_relative_time(value, now)}")
        elif isinstance(value, str | list):
            said.append(f"{name} {str(value)[:_MAX]}")
    others = len(token.payload.keys() - set(_SHOWN_CLAIMS))
    return ", ".join((*said, f"and {others} more"))


def _format_relative_time(value: int, now: int) -> str:
    """Format a NumericDate with its distance from now."""
    away = value - now
    return f"in {away} s" if away > 0 else f"{-away} s ago"


def _find_configured_issuer(payload: JsonObject, config: Config) -> IssuerConfig | None:
    """Return the configured issuer whose `iss` the token names; None if none does."""
    named = (payload.get("iss"), parse_trust_domain(payload.get("sub")))
    return next((each for each in config.issuers if each.pin.iss in named), None)


def _check_signature(
    unverified_token: str, issuer: IssuerConfig, keys: IssuerKeySet | None, now: int
) -> TokenCheckItem:
    """Verify the token as each token type that its issuer is configured for."""
    if keys is None:
        hint = "this command reads keys only from a local file"
        return _build_token_check(
            "verifies", None, "the keys of its issuer are not available", hint
        )
    known = IssuerIndex(IssuerWithKeys(issuer.pin, issuer.audience, keys))
    why: list[str] = []
    for token_type in issuer.pin.token_types:
        kind = token_type.rsplit(":", 1)[-1]
        try:
            verify_token(unverified_token, known, now, token_type)
        except TokenRejected as refused:
            why.append(f"as {kind}: {refused.reason}, {refused.message}")
        else:
            return _build_token_check(
                "verifies", True, f"as {kind}, for {issuer.audience}"
            )
    return _build_token_check("verifies", False, "; ".join(why))


def _check_matching_rule(
    payload: JsonObject, config_reading: ConfigReading, config: Config
) -> Iterator[TokenCheckItem]:
    """Check whether rules are in force and which one matches, with the reasons."""
    hint = "list the rules with answerable token-service rules"
    holds = config_reading.has_valid_rules
    yield _build_token_check(
        "the rules are in force", holds, "" if holds else "a rule is invalid", hint
    )
    items = explain_trust_rules(
        config_reading.rules, build_unverified_claims(payload, config)
    )
    fitting = [item["rule"] for item in items if item["fits"]]
    yield _build_token_check(
        "one rule matches", len(fitting) == 1, ", ".join(fitting) or "no rule matches"
    )
    for item in items:
        what = f"{item['claim']} is {item['how']}, expected {item['expected']}"
        detail = f"as {item['agent']}" if item["fits"] else what
        yield _build_token_check(f"rule {item['rule']} matches", item["fits"], detail)


def _build_token_check(
    check: str, ok: bool | None, detail: str, hint: str = ""
) -> TokenCheckItem:
    """Build the item of one check; `ok` is None if the result is not known."""
    return {"check": check, "ok": ok, "detail": detail, "hint": hint}
