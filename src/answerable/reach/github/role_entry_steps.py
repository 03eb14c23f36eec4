"""List the steps by which workflow runs enter identities that trust their OIDC tokens."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.reach.condition_formula import conjoin_hops
from answerable.reach.cross_platform_steps import CrossPlatformSteps
from answerable.reach.github.branch_write import list_branches
from answerable.reach.github.environments import ENVIRONMENT
from answerable.reach.github.oidc_subjects import (
    ISSUER,
    build_claims,
    could_match,
    get_issuer,
    get_template,
    list_stated_contexts,
    list_subject_forms,
)
from answerable.reach.github.organization_index import (
    SOURCE,
    Organizations,
    RepositoryPlace,
)
from answerable.reach.github.workflow_runs import (
    NEW_BRANCH,
    NEW_TAG,
    PULL_REQUEST,
    REF,
)
from answerable.reach.platform import PathHop, UnknownSubject
from answerable.reach.token_trust import TokenTrust, TokenTrusts

_OWNER = re.compile(r"repo:([A-Za-z0-9-]+)(?:@[0-9]+)?/.*")


def list_role_entry_steps(
    organizations: Organizations, trusts: TokenTrusts, target: str
) -> CrossPlatformSteps:
    """List the steps of the runs of every collected repository.

    Args:
        target: Name of the platform whose identities trust tokens.
    """
    places = [
        RepositoryPlace(index, repository)
        for index in organizations.values()
        for repository in index.repositories.values()
    ]
    steps: list[PathHop] = []
    unknown: dict[UnknownSubject, None] = {}
    for issuer in dict.fromkeys([ISSUER, *map(get_issuer, places)]):
        mine = _PlacesBySubject(
            place for place in places if get_issuer(place) == issuer
        )
        for trust in trusts.list_token_trusts(issuer):
            if not trust.collected:
                what = "its trust policy was not collected"
                unknown[UnknownSubject(trust.identity, what, target)] = None
                continue
            unknown |= dict.fromkeys(_list_unscanned(organizations, trust))
            unknown |= dict.fromkeys(_list_unlisted(organizations, trust))
            for place in mine.select(trust.list_limits("sub")):
                found = list(_list_steps_of_repository(trusts, trust, place))
                steps += found
                if found:
                    unknown |= dict.fromkeys(_list_missing_push_data(place))
    return CrossPlatformSteps(tuple(steps), tuple(unknown))


class _PlacesBySubject:
    """Repositories by the fixed beginning of their OIDC subjects.

    A repository with a template of its own may have any subject.
    """

    def __init__(self, places: Iterable[RepositoryPlace]) -> None:
        self._all = list(places)
        self._open = [each for each in self._all if get_template(each)]
        self._by_head: dict[str, list[RepositoryPlace]] = {}
        for place in self._all:
            for head, _ in list_subject_forms(place) if not get_template(place) else ():
                self._by_head.setdefault(head, []).append(place)

    def select(self, limits: Iterable[str]) -> list[RepositoryPlace]:
        """Select the repositories that the subjects of a trust policy may name."""
        found = list(self._open)
        subjects = tuple(limits)
        for each in subjects:
            fixed = each.partition("*")[0].partition("?")[0]
            owner, mark, rest = fixed.partition(":")
            name, end, _ = rest.partition(":")
            if not end:
                return self._all
            found += self._by_head.get(f"{owner}{mark}{name}", ())
        if not subjects:
            return self._all
        return list({id(each): each for each in found}.values())


def _list_unscanned(
    organizations: Organizations, trust: TokenTrust
) -> Iterator[UnknownSubject]:
    """List the organizations that a trust policy names and no scan describes."""
    logins = {index.login for index in organizations.values()}
    for each in trust.stated.get("sub", ()):
        found = _OWNER.fullmatch(each)
        if found and found[1].lower() not in logins:
            key = f"github:{found[1].lower()}"
            yield UnknownSubject(key, "no scan describes the organization", SOURCE)


def _list_unlisted(
    organizations: Organizations, trust: TokenTrust
) -> Iterator[UnknownSubject]:
    """List the organizations that a trust may name, whose repositories are missing."""
    limits = trust.list_limits("sub")
    owners = [_OWNER.fullmatch(each) for each in limits]
    for index in organizations.values():
        named = [not found or found[1].lower() == index.login for found in owners]
        if index.organization.repositories is None and (not limits or any(named)):
            key = f"github:{index.login}"
            yield UnknownSubject(key, "not collected: repositories", SOURCE)


def _list_missing_push_data(place: RepositoryPlace) -> Iterator[UnknownSubject]:
    """List the data that is missing to rule out other callers who can push."""
    repository, organization = place.repository, place.index.organization
    gaps = [
        word
        for word, value in (
            ("collaborators", repository.collaborators),
            ("teams", repository.teams),
            ("deploy keys", repository.deploy_keys),
            ("workflows", repository.workflows),
            ("members", organization.members),
            ("teams of the organization", organization.teams),
        )
        if value is None
    ]
    if any(
        not each.contents_collected and not each.disabled
        for each in repository.workflows or ()
    ):
        gaps.append("contents of workflows")
    for word, text in (
        ("visibility", repository.visibility),
        ("default branch", repository.default_branch),
    ):
        if not text:
            gaps.append(word)
    if not organization.base_role:
        gaps.append("base role")
    if not place.index.has_all_team_members:
        gaps.append("members of teams")
    if gaps:
        key = place.index.build_id("repo", place.name)
        yield UnknownSubject(key, f"not collected: {', '.join(gaps)}", SOURCE)


def _list_steps_of_repository(
    trusts: TokenTrusts, trust: TokenTrust, place: RepositoryPlace
) -> Iterator[PathHop]:
    """List the steps of the runs of one repository into one identity."""
    subjects = trust.stated.get("sub", ())
    audiences = trust.stated.get("aud", ())
    for head, form in list_subject_forms(place):
        limits = tuple(trust.list_limits("sub"))
        if not get_template(place) and not could_match(head, limits):
            continue
        for context in _list_contexts(place, head, subjects):
            claims = dict(build_claims(place, head, context))
            if audiences:
                claims["aud"] = audiences[:1]  # the job chooses it
            run = place.index.build_id("run", place.name, context)
            for hop in trusts.list_token_entries(trust, claims):
                formula = conjoin_hops(form, hop.formula)
                yield replace(hop, origin=run, formula=formula)


def _list_contexts(
    place: RepositoryPlace, head: str, subjects: tuple[str, ...]
) -> Iterable[str]:
    """List the contexts to try: any run, and those that a trust policy states."""
    environments = place.repository.environments or ()
    return dict.fromkeys(
        (
            NEW_BRANCH,
            *list_stated_contexts(head, subjects),
            *(f"{REF}refs/heads/{each}" for each in list_branches(place)),
            NEW_TAG,
            PULL_REQUEST,
            *(f"{ENVIRONMENT}{each.name}" for each in environments),
        )
    )
