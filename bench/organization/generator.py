"""Generator of the whole organisation as scan facts."""

from dataclasses import dataclass

from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.sighting import SightedFacts
from bench.organization import control_policies, resource_policies
from bench.organization.identities import IdentityGenerator
from bench.organization.resources import OrgResources, generate_resources
from bench.organization.structure import OrganizationPlan, plan_organization

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
class GeneratedOrganization:
    """A generated organisation.

    Attributes:
        facts: Everything.
        plan: Accounts, teams, members.
        things: Resources by team and kind.
        collected: Words for the kinds that were collected.
    """

    facts: SightedFacts
    plan: OrganizationPlan
    things: OrgResources
    collected: frozenset[str] = COLLECTED


def generate_organization(
    size: int,
    seed: int,
    catalogue: ActionCatalogue,
    *,
    resources: int | None = None,
    single: bool = False,
) -> GeneratedOrganization:
    """Generate an organisation.

    Args:
        size: Users and roles; each account has a root user besides.
        seed: The same one makes the same facts.
        catalogue: All services: actions are picked from it.
        resources: How many; ten for each identity unless said.
        single: One account of no organisation, identity policies, boundaries and trusts
            alone: what other tools read.
    """
    made = plan_organization(size, seed, catalogue, single=single)
    found = generate_resources(
        made, RESOURCES_EACH * size if resources is None else resources
    )
    who = IdentityGenerator(made, found)
    who.generate()
    policies, attachments = who.policies, who.attachments
    groups = tuple(who.user_groups())
    if single:
        facts = SightedFacts(
            identities=tuple(who.identities),
            accounts=made.accounts,
            policies=tuple(policies),
            attachments=tuple(attachments),
            groups=groups,
        )
        return GeneratedOrganization(facts, made, found)
    for policy, targets in control_policies.generate_control_policies(made):
        policies.append(policy)
        attachments += targets
    for policy, attachment in resource_policies.generate_resource_policies(made, found):
        policies.append(policy)
        attachments.append(attachment)
    facts = SightedFacts(
        identities=tuple(who.identities),
        accounts=made.accounts,
        policies=tuple(policies),
        attachments=tuple(attachments),
        groups=groups,
        resources=tuple(one.resource for one in found.owned),
        public_access=tuple(
            resource_policies.generate_public_access_blocks(made, found)
        ),
    )
    return GeneratedOrganization(facts, made, found)
