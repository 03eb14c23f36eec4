"""Steps by which identities of one platform act as identities of another.

A source of steps registers once, in `services/reach/platform_registry.py`. Between its steps,
each platform finds the paths among its own identities.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.reach.condition_formula import TRUE
from answerable.reach.platform import (
    PathHop,
    PermissionEvaluator,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

# Issuers of services, as trust policies name them.
_SERVICE_ISSUERS = (
    "token.actions.githubusercontent.com",
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "www.amazon.com",
    "graph.facebook.com",
    "sts.windows.net",
    "login.microsoftonline.com",
    "vstoken.dev.azure.com",
    "gitlab.com",
    "app.terraform.io",
    "oidc.circleci.com",
    "api.bitbucket.org",
    "agent.buildkite.com",
    "oidc.vercel.com",
    "okta.com",
    "auth0.com",
)


def may_be_cluster(issuer: str) -> bool:
    """Return whether an issuer without its scheme may sign tokens of a Kubernetes cluster.

    Each cluster chooses its issuer: only those of known services are none.
    """
    host = f".{issuer.partition('/')[0]}"
    return not host.endswith(tuple(f".{each}" for each in _SERVICE_ISSUERS))


@dataclass(frozen=True, slots=True)
class UnscannedEntry:
    """Identity that callers can enter from a place that no scan describes.

    Attributes:
        missing: The place, and the scan source that describes it.
    """

    identity: IdentityId
    missing: UnknownSubject


@dataclass(frozen=True, slots=True)
class CrossPlatformSteps:
    """Steps from identities of one platform to identities of another.

    Attributes:
        steps: Each with its condition and its determining statements.
        unknown: Missing data that could add a step; it makes a `never` a `not-known`.
        unscanned: Entries from places without a scan: a `never` assumes that the
            subject does not take them.
    """

    steps: tuple[PathHop, ...] = ()
    unknown: tuple[UnknownSubject, ...] = ()
    unscanned: tuple[UnscannedEntry, ...] = ()


class CrossPlatformStepSource(Protocol):
    """Source of the steps from one platform to another.

    If no identity of a platform can act as one of another, a source without steps says
    so: without a source, the steps count as not modelled.
    """

    @property
    def origin(self) -> str:
        """Name of the platform whose identities take the steps."""

    @property
    def target(self) -> str:
        """Name of the platform that they lead to."""

    @property
    def is_complete(self) -> bool:
        """Return whether all ways to the target are listed; else a `never` is not known."""

    def list_steps(
        self,
        inventory: Inventory,
        question: Question,
        edited: Mapping[str, PermissionEvaluator],
    ) -> CrossPlatformSteps:
        """List the steps of collected identities, and of `question.identities`.

        Args:
            edited: Evaluators by platform, in place of those of the snapshot: after a
                policy edit, say.
        """


@dataclass(frozen=True, slots=True)
class EnteredIdentities:
    """Identities that subjects act as after steps, and the missing data."""

    starts: tuple[SubjectIdentity, ...] = ()
    unknown: tuple[UnknownSubject, ...] = ()


def follow_steps(
    starts: Iterable[SubjectIdentity],
    enter: Callable[[Sequence[SubjectIdentity]], EnteredIdentities],
) -> EnteredIdentities:
    """Follow steps between platforms until they lead to no other identity.

    Of several paths of a subject to an identity, an unconditional one is kept, else the
    one with the fewest steps between platforms.

    Args:
        enter: Takes one step between platforms from each identity.
    """
    frontier: Sequence[SubjectIdentity] = tuple(starts)
    certain: dict[tuple[str, IdentityId], bool] = {}
    for each in frontier:
        certain[_get_key(each)] = _is_unconditional(each) or certain.get(
            _get_key(each), False
        )
    entered: dict[tuple[str, IdentityId], SubjectIdentity] = {}
    unknown: dict[UnknownSubject, None] = {}
    while frontier:
        found = enter(frontier)
        unknown |= dict.fromkeys(found.unknown)
        better = {}
        for each in found.starts:
            key, is_certain = _get_key(each), _is_unconditional(each)
            if key not in certain or (is_certain and not certain[key]):
                certain[key] = is_certain
                better[key] = each
        entered |= better
        frontier = tuple(better.values())
    return EnteredIdentities(tuple(entered.values()), tuple(unknown))


def _get_key(start: SubjectIdentity) -> tuple[str, IdentityId]:
    """Return the subject and the identity that it acts as."""
    return start.subject, start.identity


def _is_unconditional(start: SubjectIdentity) -> bool:
    """Return whether no step of a path has a condition."""
    return all(hop.formula == TRUE for hop in start.hops)
