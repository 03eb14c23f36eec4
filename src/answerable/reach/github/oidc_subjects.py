"""Build the claims of the OIDC tokens that workflow runs get.

Source: https://docs.github.com/actions/reference/security/oidc
"""

from collections.abc import Iterator

from answerable.reach.condition_formula import TRUE, Formula, build_atom
from answerable.reach.github.catalogue import OidcTemplate
from answerable.reach.github.decision import SUBJECT_FORM
from answerable.reach.github.environments import ENVIRONMENT
from answerable.reach.github.organization_index import RepositoryPlace
from answerable.reach.github.ref_patterns import make_name
from answerable.reach.github.workflow_runs import PULL_REQUEST, REF
from answerable.reach.token_trust import Claims

ISSUER = "token.actions.githubusercontent.com"
# "Repositories created, renamed or transferred after July 15, 2026 use the immutable
# form": 2026-07-15T00:00:00Z, in UTC nanoseconds.
# Source: https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/
IMMUTABLE_SINCE = 1_784_073_600 * 10**9


def get_issuer(place: RepositoryPlace) -> str:
    """Return the issuer of a host, without its scheme."""
    host = place.index.organization.host
    return ISSUER if host in ("", "github.com") else f"{host}/_services/token"


def list_subject_forms(place: RepositoryPlace) -> list[tuple[str, Formula]]:
    """List the forms of `repo:` in a subject, each with the condition that it is used."""
    index, repository = place.index, place.repository
    owner = index.organization.login
    named = f"repo:{owner}/{repository.name}"
    immutable = (
        f"repo:{owner}@{index.organization.id}/{repository.name}@{repository.id}"
    )
    if get_issuer(place) != ISSUER:
        return [(named, TRUE)]
    stated = _is_immutable(place)
    if stated is not None:
        return [(immutable if stated else named, TRUE)]
    return [
        (named, build_atom(SUBJECT_FORM, "Equals", ("names",))),
        (immutable, build_atom(SUBJECT_FORM, "Equals", ("immutable ids",))),
    ]


def _is_immutable(place: RepositoryPlace) -> bool | None:
    """Return whether a repository uses the immutable form; None: not known."""
    repository = place.repository
    for template in (repository.oidc, place.index.organization.oidc):
        if template is not None and template.immutable is not None:
            return template.immutable
    if repository.created_at >= IMMUTABLE_SINCE:
        return True
    # An older repository may have opted in, which its OIDC settings show.
    known = repository.created_at and repository.oidc is not None
    return False if known else None


def get_template(place: RepositoryPlace) -> tuple[str, ...]:
    """Return the claim keys of the subject; empty for the default.

    A repository uses the template of the organization if it opted in.
    """
    template: OidcTemplate | None = place.repository.oidc
    if template is None or template.use_default:
        return ()
    if template.include_claims:
        return template.include_claims
    shared = place.index.organization.oidc
    return shared.include_claims if shared else ()


def build_claims(place: RepositoryPlace, head: str, context: str) -> Claims:
    """Build the claims of a run with a context.

    Args:
        head: Form of `repo:` in the subject.
        context: A `*` in it stands for a name of the pusher's choice.
    """
    index, repository = place.index, place.repository
    owner = index.organization.login
    context = make_name(context)
    ref = context.removeprefix(REF) if context.startswith(REF) else ""
    claims: dict[str, tuple[str, ...]] = {
        "repository": (f"{owner}/{repository.name}",),
        "repository_owner": (owner,),
        "environment": (),
    }
    if repository.id:
        claims["repository_id"] = (str(repository.id),)
    if index.organization.id:
        claims["repository_owner_id"] = (str(index.organization.id),)
    if repository.visibility:
        claims["repository_visibility"] = (repository.visibility,)
    if ref:
        claims["ref"] = (ref,)
        claims["ref_type"] = ("tag" if ref.startswith("refs/tags/") else "branch",)
    if context.startswith(ENVIRONMENT):
        claims["environment"] = (context.removeprefix(ENVIRONMENT),)
    if context == PULL_REQUEST:
        claims["event_name"] = (PULL_REQUEST,)
    subject = _build_subject(place, head, context, claims)
    if subject is not None:
        claims["sub"] = (subject,)
    return claims


def _build_subject(
    place: RepositoryPlace, head: str, context: str, claims: Claims
) -> str | None:
    """Build the subject; None if its template has a claim whose value is not known."""
    if context.startswith(ENVIRONMENT):
        name = context.removeprefix(ENVIRONMENT).replace(":", "%3A")
        context = f"{ENVIRONMENT}{name}"
    template = get_template(place)
    if not template:
        return f"{head}:{context}"
    parts = []
    for key in template:
        values = claims.get(key, ())
        if key == "repo":
            parts.append(head)
        elif key == "context":
            parts.append(context)
        elif values:
            parts.append(f"{key}:{values[0]}")
        else:
            return None
    return ":".join(parts)


def list_stated_contexts(head: str, subjects: tuple[str, ...]) -> Iterator[str]:
    """List the contexts that the subjects of a trust policy state for a repository."""
    for each in subjects:
        if each.startswith(f"{head}:"):
            context = each.removeprefix(f"{head}:").replace("%3A", ":")
            if context.startswith(
                (f"{REF}refs/heads/", f"{REF}refs/tags/", ENVIRONMENT)
            ):
                yield context


def could_match(head: str, subjects: tuple[str, ...]) -> bool:
    """Return whether one of the subjects of a trust policy may name a repository."""
    if not subjects:
        return True
    for each in subjects:
        fixed = each.partition("*")[0].partition("?")[0]
        if f"{head}:".startswith(fixed) or fixed.startswith(f"{head}:"):
            return True
    return False
