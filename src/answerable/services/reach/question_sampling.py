"""Draw a seeded random sample of permission questions about an account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from answerable.model.action_catalogue import ActionCatalogue, ActionEntry
from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import PolicyStatement
from answerable.reach.aws.patterns.action_resource_matrix import (
    can_action_act_on_resource,
)
from answerable.reach.aws.patterns.glob_matching import (
    decode_glob,
    encode_glob,
    matches_glob,
)

_POLICY_SHARE = 0.75
_TRIES = 20


@dataclass(frozen=True, slots=True)
class SampledQuestion:
    """One call to evaluate."""

    principal: IdentityId
    action: str
    resource: str


def sample_permission_questions(
    accounts: CompiledAccounts,
    principals: Sequence[CompiledPrincipal],
    glob: str,
    size: int,
    seed: int,
) -> list[SampledQuestion]:
    """Draw random permission questions, the same for a snapshot, size and seed.

    Three in four come from the principal's own statements, the others from any action
    of a service that policies name.

    Args:
        principals: Principals to ask about, at least one.
        glob: Only actions that match this glob.
        size: Number of questions; fewer if there are not enough.
        seed: Seed of the sample.
    """
    draws = _QuestionSampler(accounts, glob, Random(seed))  # noqa: S311 - a sample, no secret
    found: dict[SampledQuestion, None] = {}
    for _ in range(size * _TRIES):
        if len(found) == size or not draws.names:
            break
        question = draws.draw_question(draws.random.choice(principals))
        if question:
            found[question] = None
    return list(found)


class _QuestionSampler:
    def __init__(self, accounts: CompiledAccounts, glob: str, random: Random) -> None:
        self.estate, self.random = accounts, random
        wanted = encode_glob(glob.lower())
        self.names = [
            n for n in _list_action_names(accounts.catalogue) if matches_glob(wanted, n)
        ]
        self._resources: dict[str, list[str]] = {}
        for resource in sorted(accounts.resources):
            service = resource.split(":", 3)[2:3]
            self._resources.setdefault("".join(service), []).append(resource)

    def draw_question(self, principal: CompiledPrincipal) -> SampledQuestion | None:
        """Draw one question about a principal; None if the drawn call is impossible."""
        grants = (*principal.grants, *(principal.boundary or ()))
        if grants and self.random.random() < _POLICY_SHARE:
            return self._draw_question_from_grant(principal, self.random.choice(grants))
        return self._draw_question_about_action(
            principal, self.random.choice(self.names)
        )

    def _draw_question_from_grant(
        self, principal: CompiledPrincipal, grant: PolicyStatement
    ) -> SampledQuestion | None:
        """Draw a question from an allowed statement of the principal."""
        taken = [name for name in self.names if grant.clause.matches_action(name)]
        if not taken:
            return None
        name = self.random.choice(taken)
        patterns = grant.clause.resources or grant.clause.not_resources
        if not patterns or self.random.random() < 1 - _POLICY_SHARE:
            return self._draw_question_about_action(principal, name)
        resource = _make_matching_resource(self.random.choice(patterns), principal)
        return self._make_possible_question(
            principal, name, resource
        ) or self._draw_question_about_action(principal, name)

    def _draw_question_about_action(
        self, principal: CompiledPrincipal, name: str
    ) -> SampledQuestion | None:
        """Draw a question about an action on a known or a made-up resource."""
        known = self._resources.get(name.partition(":")[0])
        if known and self.random.random() < _POLICY_SHARE:
            tried = (self.random.choice(known) for _ in range(_TRIES))
            drawn = (
                self._make_possible_question(principal, name, resource)
                for resource in tried
            )
            found = next(filter(None, drawn), None)
            if found:
                return found
        entry = self.estate.catalogue.find_action(name)
        if entry is None:
            return None
        return self._make_possible_question(
            principal, name, self._make_resource_for_action(entry, principal)
        )

    def _make_resource_for_action(
        self, entry: ActionEntry, principal: CompiledPrincipal
    ) -> str:
        """Make a resource of a type that the action takes; `*` if it takes none."""
        if entry.takes_only_wildcard_resource:
            return "*"
        types = self.estate.catalogue.services[entry.service].resource_types
        held = [types[name].arn for name in entry.resource_types if name in types]
        return (
            _make_matching_resource(self.random.choice(held), principal)
            if held
            else "*"
        )

    def _make_possible_question(
        self, principal: CompiledPrincipal, name: str, resource: str
    ) -> SampledQuestion | None:
        """Build a question; None if the action never takes the resource."""
        entry = self.estate.catalogue.find_action(name)
        if entry is None or (resource == "*") != entry.takes_only_wildcard_resource:
            return None
        if not can_action_act_on_resource(self.estate.catalogue, name, resource):
            return None
        return SampledQuestion(principal.id, str(entry), resource)


def _list_action_names(catalogue: ActionCatalogue) -> Iterator[str]:
    """Yield every action of the catalogue as `service:Name`."""
    for service, held in sorted(catalogue.services.items()):
        yield from (f"{service}:{name}" for name in sorted(held.actions))


def _make_matching_resource(pattern: str, principal: CompiledPrincipal) -> str:
    """Make a resource that matches a pattern, with a value for each placeholder."""
    plain = decode_glob(pattern)
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
