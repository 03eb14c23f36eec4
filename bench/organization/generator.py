"""Generator of the whole organisation as scan facts."""

from dataclasses import dataclass

from answerable.model.action_catalogue import Catalogue
from answerable.model.sighting import Facts
from bench.organization import control_policies, resource_policies
from bench.organization.identities import Identities
from bench.organization.resources import Things, things
from bench.organization.structure import Plan, plan

# Every kind was collected; what was not asked of a resource stands in the facts.
COLLECTED = frozenset(
    [
        "boundaries",
        "identity-policies",
        "kms-grants",
        "organization",
        "public-access-block",
        "rcp",
        "resource-policies",
        "resource-tags",
        "role-trust",
        "running-code",
        "s3-access-points",
        "scp",
    ]
)
RESOURCES_EACH = 10


@dataclass(frozen=True, slots=True)
class Organization:
    """A generated organisation.

    Attributes:
        facts: Everything.
        plan: Accounts, teams, members.
        things: Resources by team and kind.
        collected: Words for the kinds that were collected.
    """

    facts: Facts
    plan: Plan
    things: Things
    collected: frozenset[str] = COLLECTED


def organization(
    size: int,
    seed: int,
    catalogue: Catalogue,
    *,
    resources: int | None = None,
    single: bool = False,
) -> Organization:
    """Generate an organisation.

    Args:
        size: Users and roles; each account has a root user besides.
        seed: The same one makes the same facts.
        catalogue: All services: actions are picked from it.
        resources: How many; ten for each identity unless said.
        single: One account of no organisation, identity policies, boundaries and trusts
            alone: what other tools read.
    """
    made = plan(size, seed, catalogue, single=single)
    found = things(made, RESOURCES_EACH * size if resources is None else resources)
    who = Identities(made, found)
    who.make()
    policies, attachments = who.policies, who.attachments
    groups = tuple(who.user_groups())
    if single:
        facts = Facts(
            identities=tuple(who.identities),
            accounts=made.accounts,
            policies=tuple(policies),
            attachments=tuple(attachments),
            groups=groups,
        )
        return Organization(facts, made, found)
    for policy, targets in control_policies.policies(made):
        policies.append(policy)
        attachments += targets
    for policy, attachment in resource_policies.policies(made, found):
        policies.append(policy)
        attachments.append(attachment)
    facts = Facts(
        identities=tuple(who.identities),
        accounts=made.accounts,
        policies=tuple(policies),
        attachments=tuple(attachments),
        groups=groups,
        resources=tuple(one.resource for one in found.owned),
        public_access=tuple(resource_policies.blocks(made, found)),
    )
    return Organization(facts, made, found)
