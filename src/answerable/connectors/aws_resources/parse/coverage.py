"""Compute the accounts and regions that a response file covers completely, by kind.

A list covers one account and region. If it is complete and every listed resource has an
answer, nothing of that kind is unknown there.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from answerable.connectors.aws_resources import declaration
from answerable.connectors.aws_resources.parse.resource_lists import ResourceInventory
from answerable.connectors.aws_resources.parse.response_fields import (
    CLUSTER_TASKS,
    LISTS,
    TEMPLATE_VERSIONS,
    is_truncated,
)
from answerable.connectors.formats.aws_api_responses import AwsAnswer
from answerable.model.coverage import CoverageScope
from answerable.model.ids import Arn

# By the list that names all resources of a service that hold policies.
_SERVICE_OF_LIST = {
    "Buckets": "s3",
    "Keys": "kms",
    "Topics": "sns",
    "QueueUrls": "sqs",
    "Functions": "lambda",
    "SecretList": "secretsmanager",
    "repositories": "ecr",
}
AccountRegion = tuple[str, str]


def compute_coverage(
    inventory: ResourceInventory,
    answers: Sequence[AwsAnswer],
    answered_fields: Collection[str],
    regions: Collection[str],
) -> tuple[CoverageScope, ...]:
    """Return where policies and running code were collected completely.

    Args:
        inventory: Listed resources.
        answers: The answers.
        answered_fields: ARNs of resources with an answered policy query.
        regions: Regions that the file states.
    """
    ended = _list_complete_fields(answers) - inventory.incomplete_lists
    places = {
        name: set(_list_covered_regions(inventory, name, regions)) for name in ended
    }
    policies = [
        CoverageScope(declaration.POLICIES, account, region, service)
        for name, service in _SERVICE_OF_LIST.items()
        for account, region in places.get(name, ())
        if all(
            str(arn) in answered_fields
            for arn in inventory.listed.get(name, ())
            if _account_and_region_of_arn(inventory, arn) == (account, region)
        )
    ]
    both = places.get("Functions", set()) & places.get("Reservations", set())
    instances = [
        p for arn, p in inventory.instance_profiles.items() if ":instance/" in arn
    ]
    if not set(instances) <= inventory.profile_roles.keys():
        both = set()  # whom instances run as is not known
    running = [CoverageScope(declaration.RUNNING, *place) for place in both]
    running += _iter_running_role_coverage(inventory, places)
    return tuple(sorted([*policies, *running]))


# By the list that names where code of a kind is launched: the kind, and the question.
_LAUNCH_LISTS = {
    "clusterArns": ("ecs:task", CLUSTER_TASKS.field),
    "LaunchTemplates": ("ec2:launch-template", TEMPLATE_VERSIONS.field),
}


def _iter_running_role_coverage(
    inventory: ResourceInventory, places: Mapping[str, set[AccountRegion]]
) -> Iterator[CoverageScope]:
    """Yield the accounts and regions where all task and template roles are known."""
    for name, (kind, question) in _LAUNCH_LISTS.items():
        answered = inventory.answered.get(question, set())
        for place in places.get(name, ()):
            listed = inventory.listed.get(name, ())
            here = {
                arn
                for arn in listed
                if _account_and_region_of_arn(inventory, arn) == place
            }
            known = all(
                inventory.instance_profiles.get(str(arn), "")
                in {"", *inventory.profile_roles}
                for arn in here
            )
            if here <= answered and known:
                yield CoverageScope(declaration.RUNNING, *place, kind)


def _list_complete_fields(answers: Sequence[AwsAnswer]) -> set[str]:
    """List the fields whose lists are complete: their last page is present."""
    there = {n for answer in answers for n in LISTS if n in answer.fields}
    broken = {
        n
        for answer in answers
        if is_truncated(answer.fields)
        for n in LISTS
        if n in answer.fields
    }
    return there - broken


def _list_covered_regions(
    inventory: ResourceInventory, name: str, regions: Collection[str]
) -> Iterator[AccountRegion]:
    """Yield the regions that a list of resources covers, with its declared region.

    An empty list has no place of its own. The stated region counts only if no resource
    of the file is elsewhere: otherwise the file may cover several regions.
    """
    for arn in inventory.listed.get(name, ()):
        account, region = _account_and_region_of_arn(inventory, arn)
        if account and (region or arn.service == "s3"):
            yield account, region
    if not inventory.caller:
        return
    if name == "Buckets":
        yield inventory.caller, ""
    elif len(regions) == 1 and regions == _list_regions(inventory) | set(regions):
        yield inventory.caller, next(iter(regions))


def _account_and_region_of_arn(inventory: ResourceInventory, arn: Arn) -> AccountRegion:
    """Return the account and region of a collected resource."""
    return (arn.account or inventory.caller, arn.region)


def _list_regions(inventory: ResourceInventory) -> set[str]:
    """List the regions of all resources."""
    return {a.region for named in inventory.listed.values() for a in named if a.region}
