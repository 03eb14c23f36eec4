"""Measure how many workflows a provider of an identity pool and a member of it admit.

Sources: https://docs.cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines
(shared issuers need a condition) and
https://docs.github.com/actions/reference/security/oidc (claims of GitHub).
"""

import re
from dataclasses import dataclass

from answerable.posture.severity import Trigger
from answerable.reach.gcp.catalogue import GooglePoolProvider
from answerable.reach.gcp.pool_trusts import strip_scheme

# How many workflows can enter, narrow first.
NARROW, REPOSITORY, OWNER, EVERYONE = range(4)
# A name that each repository may use: it narrows one repository alone.
_BRANCH = EVERYONE + 1
_GITHUB = "token.actions.githubusercontent.com"
# Issuers whose tokens anyone can get.
_SHARED = {
    _GITHUB: "every repository on GitHub",
    "gitlab.com": "every project on GitLab",
    "app.terraform.io": "every workspace of Terraform Cloud",
    "agent.buildkite.com": "every pipeline of Buildkite",
    "accounts.google.com": "every service account of Google Cloud",
}
# Width that remains if a claim of GitHub has one value.
_CLAIMS = {
    "sub": NARROW,
    "ref": _BRANCH,
    "environment": _BRANCH,
    "job_workflow_ref": NARROW,
    "workflow_ref": NARROW,
    "repository": REPOSITORY,
    "repository_id": REPOSITORY,
    "repository_owner": OWNER,
    "repository_owner_id": OWNER,
}
_CLAIM = re.compile(r"assertion\.([a-z_]+)", re.ASCII)
_EQUALS = re.compile(
    r"(?P<holder>assertion|attribute|google)\.(?P<name>[a-z_]+)\s*==\s*"
    r"(?:'[^']*'|\"[^\"]*\")",
    re.ASCII,
)
_SUBJECT_PREFIX = re.compile(
    r"(?:assertion\.sub|google\.subject)\.startsWith\((?:'|\")repo:"
    r"(?P<owner>[^/'\":]+)/(?P<name>[^'\":]*)(?P<rest>[^'\"]*)(?:'|\")\)",
    re.ASCII,
)
_ONE_REFERENCE = re.compile(
    r":(?:ref:refs/(?:heads|tags)/|environment:)[^/].*", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ProviderWidth:
    """Workflows that enter through one provider.

    Attributes:
        width: None if a condition or an attribute is not understood.
    """

    provider: str
    issuer: str
    width: int | None


def measure_pool_member(provider: GooglePoolProvider, part: str) -> ProviderWidth:
    """Measure a member of a pool through a provider.

    Args:
        part: `*`, `attribute.NAME/VALUE` or `group/NAME`.
    """
    issuer = strip_scheme(provider.issuer)
    if issuer not in _SHARED:
        return ProviderWidth(provider.name, issuer, NARROW)
    mapping = dict(provider.mapping)
    widths = [_measure_part(part, mapping), *_measure_condition(provider, mapping)]
    if issuer != _GITHUB:
        bare = not provider.condition and part == "*"
        return ProviderWidth(provider.name, issuer, EVERYONE if bare else None)
    return ProviderWidth(provider.name, issuer, _join_widths(widths))


def _join_widths(widths: list[int | None]) -> int | None:
    """Return the width that all parts leave together; None if it is not known."""
    known = [each for each in widths if each is not None]
    width = min((*known, EVERYONE))
    if width == REPOSITORY and _BRANCH in known:
        width = NARROW
    # A part that is not understood only narrows further.
    return width if len(known) == len(widths) or width == NARROW else None


def _measure_part(part: str, mapping: dict[str, str]) -> int | None:
    """Measure the part of a pool that a member names."""
    if part == "*":
        return EVERYONE
    name, _, _ = part.partition("/")
    return _measure_expression(mapping.get(name, ""))


def _measure_expression(expression: str) -> int | None:
    """Measure a mapped attribute that has one value."""
    found = _CLAIM.fullmatch(expression.strip())
    return _CLAIMS.get(found[1], EVERYONE) if found else None


def _measure_condition(
    provider: GooglePoolProvider, mapping: dict[str, str]
) -> list[int | None]:
    """Measure each term of the attribute condition; None is one not understood."""
    if not provider.condition.strip():
        return []
    return [
        _measure_term(_strip_parentheses(each.strip()), mapping)
        for each in provider.condition.split("&&")
    ]


def _strip_parentheses(term: str) -> str:
    """Return a term without the parentheses around all of it."""
    inner = term[1:-1]
    alone = term.startswith("(") and term.endswith(")") and "(" not in inner
    return inner.strip() if alone else term


def _measure_term(term: str, mapping: dict[str, str]) -> int | None:
    """Measure one comparison of a condition; None if it is not understood."""
    if prefix := _SUBJECT_PREFIX.fullmatch(term):
        if not prefix["name"] or not prefix["rest"]:
            return OWNER
        return NARROW if _ONE_REFERENCE.fullmatch(prefix["rest"]) else REPOSITORY
    found = _EQUALS.fullmatch(term)
    if not found:
        return None
    if found["holder"] == "assertion":
        return _CLAIMS.get(found["name"], EVERYONE)
    return _measure_expression(mapping.get(f"{found['holder']}.{found['name']}", ""))


def describe_width(width: ProviderWidth) -> tuple[str, Trigger]:
    """Describe the workflows that enter, and how they trigger the access."""
    if width.width == EVERYONE:
        return _SHARED[width.issuer], Trigger.OUTSIDER
    if width.width == OWNER:
        return "every repository of an organization on GitHub", Trigger.INSIDER
    return "every branch and pull request of a repository", Trigger.INSIDER
