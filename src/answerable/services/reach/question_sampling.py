"""Seeded random sample of permission questions about an account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from answerable.model.action_catalogue import ActionEntry, Catalogue
from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Grant
from answerable.reach.aws.patterns.action_resource_matrix import possible
from answerable.reach.aws.patterns.globs import inward, matches, outward

_FROM_POLICIES = 0.75
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Question:
    """One call to evaluate."""

    principal: IdentityId
    action: str
    resource: str


def draw(
    estate: Estate, principals: Sequence[Principal], glob: str, size: int, seed: int
) -> list[Question]:
    """Draw questions, deterministic for a snapshot, size and seed.

    Three in four come from the principal's own statements, the others from any action
    of a service that policies name.

    Args:
        principals: Principals to ask about, at least one.
        glob: Only actions that match this glob.
        size: Number of questions; fewer if there are not enough.
        seed: Seed of the sample.
    """
    draws = _Draws(estate, glob, Random(seed))  # noqa: S311 - a sample, no secret
    found: dict[Question, None] = {}
    for _ in range(size * _TRIES):
        if len(found) == size or not draws.names:
            break
        question = draws.question(draws.random.choice(principals))
        if question:
            found[question] = None
    return list(found)


class _Draws:
    def __init__(self, estate: Estate, glob: str, random: Random) -> None:
        self.estate, self.random = estate, random
        wanted = inward(glob.lower())
        self.names = [n for n in _names(estate.catalogue) if matches(wanted, n)]
        self._resources: dict[str, list[str]] = {}
        for resource in sorted(estate.resources):
            service = resource.split(":", 3)[2:3]
            self._resources.setdefault("".join(service), []).append(resource)

    def question(self, principal: Principal) -> Question | None:
        """Draw one question about a principal; None if the drawn call is impossible."""
        grants = (*principal.grants, *(principal.boundary or ()))
        if grants and self.random.random() < _FROM_POLICIES:
            return self._of_grant(principal, self.random.choice(grants))
        return self._any(principal, self.random.choice(self.names))

    def _of_grant(self, principal: Principal, grant: Grant) -> Question | None:
        taken = [name for name in self.names if grant.clause.takes_action(name)]
        if not taken:
            return None
        name = self.random.choice(taken)
        patterns = grant.clause.resources or grant.clause.not_resources
        if not patterns or self.random.random() < 1 - _FROM_POLICIES:
            return self._any(principal, name)
        resource = _literal(self.random.choice(patterns), principal)
        return self._checked(principal, name, resource) or self._any(principal, name)

    def _any(self, principal: Principal, name: str) -> Question | None:
        known = self._resources.get(name.partition(":")[0])
        if known and self.random.random() < _FROM_POLICIES:
            tried = (self.random.choice(known) for _ in range(_TRIES))
            drawn = (self._checked(principal, name, resource) for resource in tried)
            found = next(filter(None, drawn), None)
            if found:
                return found
        entry = self.estate.catalogue.action(name)
        if entry is None:
            return None
        return self._checked(principal, name, self._made(entry, principal))

    def _made(self, entry: ActionEntry, principal: Principal) -> str:
        if entry.wildcard_only:
            return "*"
        types = self.estate.catalogue.services[entry.service].resource_types
        held = [types[name].arn for name in entry.resource_types if name in types]
        return _literal(self.random.choice(held), principal) if held else "*"

    def _checked(
        self, principal: Principal, name: str, resource: str
    ) -> Question | None:
        entry = self.estate.catalogue.action(name)
        if entry is None or (resource == "*") != entry.wildcard_only:
            return None
        if not possible(self.estate.catalogue, name, resource):
            return None
        return Question(principal.id, str(entry), resource)


def _names(catalogue: Catalogue) -> Iterator[str]:
    for service, held in sorted(catalogue.services.items()):
        yield from (f"{service}:{name}" for name in sorted(held.actions))


def _literal(pattern: str, principal: Principal) -> str:
    """Make a resource that matches a pattern, with a value for each placeholder."""
    plain = outward(pattern)
    while "${" in plain:
        head, _, tail = plain.partition("${")
        plain = head + "example" + tail.partition("}")[2]
    parts = plain.split(":", 5)
    if len(parts) < 6:
        return "*" if plain == "*" else plain.replace("*", "example")
    filled = {1: "aws", 3: "us-east-1", 4: principal.identity.account}
    for at, text in filled.items():
        parts[at] = text if parts[at] == "*" else parts[at].replace("*", "")
    parts[2] = parts[2].replace("*", "s3")
    parts[5] = parts[5].replace("*", "example").replace("?", "x")
    return ":".join(parts)
