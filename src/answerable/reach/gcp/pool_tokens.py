"""Match tokens of other issuers with the principals of workload identity pools.

Source: https://docs.cloud.google.com/iam/docs/workload-identity-federation: a provider
trusts an issuer, maps the claims of a token to attributes, and may have a condition on
them. Without a condition every token of the issuer enters the pool.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from answerable.model.google_cloud_ids import split_pool_principal
from answerable.reach.condition_formula import FALSE, TRUE, Formula, build_atom, conjoin
from answerable.reach.gcp.catalogue import GooglePoolProvider
from answerable.reach.gcp.cel_evaluation import (
    CelContext,
    evaluate_condition,
    evaluate_text,
)
from answerable.reach.gcp.cel_values import CelError, CelList, CelValue
from answerable.reach.gcp.estate_index import GoogleCloudIndex
from answerable.reach.platform import DeterminingStatement

ASSERTION = "gcp:token-claims"
AUDIENCE = "gcp:token-audience"
GOOGLE_ISSUER = "https://accounts.google.com"
_AWS_MAPPING = (
    ("google.subject", "assertion.arn"),
    (
        "attribute.aws_role",
        "assertion.arn.contains('assumed-role') ? "
        "assertion.arn.extract('{account_arn}assumed-role/') + 'assumed-role/' + "
        "assertion.arn.extract('assumed-role/{role_name}/') : assertion.arn",
    ),
)
Claims = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """Principal of a pool that a token enters as."""

    member: str
    formula: Formula
    statement: DeterminingStatement


def get_mapping(provider: GooglePoolProvider) -> Sequence[tuple[str, str]]:
    """Return the attribute mapping of a provider, or the default for AWS.

    Source: https://docs.cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds,
    "Define an attribute mapping and condition".
    """
    if provider.mapping or not provider.aws_account:
        return provider.mapping
    return _AWS_MAPPING


def build_claim_values(claims: Claims) -> dict[str, CelValue]:
    """Build the values of a condition from the claims of a token."""
    values: dict[str, CelValue] = {}
    for name, found in claims.items():
        if len(found) == 1:
            values[f"assertion.{name}"] = found[0]
        elif found:
            values[f"assertion.{name}"] = CelList(tuple(found))
        else:
            values[f"assertion.{name}"] = CelError()  # the token has no such claim
    return values


def enter_pool(
    provider: GooglePoolProvider, member: str, values: Mapping[str, CelValue]
) -> PoolEntry | None:
    """Enter a pool as one of its principals; None if the token does not match.

    Args:
        values: Claims by `assertion.NAME`; others are not known.
    """
    pool, part = split_pool_principal(member)
    if pool != provider.pool:
        return None
    context = CelContext(_map_attributes(provider, values), label=ASSERTION)
    formula = evaluate_condition(provider.condition, context)
    formula = conjoin(formula, _match_part(provider, part, context))
    if formula == FALSE:
        return None
    return PoolEntry(member, formula, _describe_provider(provider))


def _map_attributes(
    provider: GooglePoolProvider, values: Mapping[str, CelValue]
) -> Mapping[str, CelValue]:
    """Return the claims with the attributes that the provider maps them to."""
    context = CelContext(values, label=ASSERTION)
    found: dict[str, CelValue] = dict(values)
    for target, expression in get_mapping(provider):
        text = evaluate_text(expression, context)
        if text is not None:
            found[target] = text
    return found


def _match_part(
    provider: GooglePoolProvider, part: str, context: CelContext
) -> Formula:
    """Match the part of a principal in the pool: `subject/S`, `attribute.X/V`, `*`."""
    if part == "*":
        return TRUE
    name, _, value = part.partition("/")
    key = {"subject": "google.subject", "group": "google.groups"}.get(name, name)
    known = context.values.get(key)
    if isinstance(known, str):
        return TRUE if known == value else FALSE
    if key not in dict(get_mapping(provider)):
        return FALSE
    return build_atom(key, "Equals", (value,))


def _describe_provider(provider: GooglePoolProvider) -> DeterminingStatement:
    """Describe a provider with its condition."""
    issuer = provider.issuer or f"AWS account {provider.aws_account}"
    condition = " ".join(provider.condition.split())
    text = f"trusts {issuer}{f' if {condition}' if condition else ''}"
    return DeterminingStatement("workload-pool", provider.name, text, "allow")


def list_google_token_members(
    index: GoogleCloudIndex, account: str, members: Mapping[str, Sequence[str]]
) -> Iterator[PoolEntry]:
    """Yield the principals that an id token of a service account enters as.

    Source: https://docs.cloud.google.com/iam/docs/create-short-lived-credentials-direct,
    "Create an OpenID Connect (OIDC) ID token": the caller chooses the audience.
    """
    known = index.accounts.get(account)
    claims = {"email": (account,), "iss": (GOOGLE_ISSUER,)}
    if known and known.unique_id:
        claims |= {"sub": (known.unique_id,), "azp": (known.unique_id,)}
    values = build_claim_values(claims)
    for provider in index.header.providers:
        if provider.issuer.rstrip("/") != GOOGLE_ISSUER:
            continue
        for member in members.get(provider.pool, ()):
            entry = enter_pool(provider, member, values)
            if entry:
                yield entry
