"""In which places a file of answers covers a kind of thing whole.

A list says what there is in one account and region. Where it is there to its end, and
every resource that it names has its answer, nothing of that kind is unknown there.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from answerable.connectors.aws_resources import spec
from answerable.connectors.aws_resources.parse.answers import (
    CLUSTER_TASKS,
    LISTS,
    TEMPLATE_VERSIONS,
    has_more,
)
from answerable.connectors.aws_resources.parse.listings import Estate
from answerable.connectors.formats.aws_answers import Answer
from answerable.model.coverage import Held
from answerable.model.ids import Arn

# By the list that names all resources of a service that hold policies.
_SERVICES = {
    "Buckets": "s3",
    "Keys": "kms",
    "Topics": "sns",
    "QueueUrls": "sqs",
    "Functions": "lambda",
    "SecretList": "secretsmanager",
    "repositories": "ecr",
}
Place = tuple[str, str]


def held(
    estate: Estate,
    found: Sequence[Answer],
    answered: Collection[str],
    regions: Collection[str],
) -> tuple[Held, ...]:
    """Say where policies, and code that runs, were collected whole.

    Args:
        estate: What the lists named.
        found: The answers.
        answered: ARNs of resources whose own policy was asked for and answered.
        regions: The regions that the file says were asked.
    """
    ended = _ended(found) - estate.broken
    places = {name: set(_places(estate, name, regions)) for name in ended}
    policies = [
        Held(spec.POLICIES, account, region, service)
        for name, service in _SERVICES.items()
        for account, region in places.get(name, ())
        if all(
            str(arn) in answered
            for arn in estate.listed.get(name, ())
            if _place(estate, arn) == (account, region)
        )
    ]
    both = places.get("Functions", set()) & places.get("Reservations", set())
    instances = [p for arn, p in estate.launched.items() if ":instance/" in arn]
    if not set(instances) <= estate.profiles.keys():
        both = set()  # whom instances run as is not known
    running = [Held(spec.RUNNING, *place) for place in both]
    running += _launching(estate, places)
    return tuple(sorted([*policies, *running]))


# By the list that names where code of a kind is launched: the kind, and the question.
_LAUNCHING = {
    "clusterArns": ("ecs:task", CLUSTER_TASKS.field),
    "LaunchTemplates": ("ec2:launch-template", TEMPLATE_VERSIONS.field),
}


def _launching(estate: Estate, places: Mapping[str, set[Place]]) -> Iterator[Held]:
    """Say where tasks that run, and launch templates, were collected whole."""
    for name, (kind, question) in _LAUNCHING.items():
        answered = estate.answered.get(question, set())
        for place in places.get(name, ()):
            listed = estate.listed.get(name, ())
            here = {arn for arn in listed if _place(estate, arn) == place}
            known = all(
                estate.launched.get(str(arn), "") in {"", *estate.profiles}
                for arn in here
            )
            if here <= answered and known:
                yield Held(spec.RUNNING, *place, kind)


def _ended(found: Sequence[Answer]) -> set[str]:
    """Name the lists that are there to their end."""
    there = {n for answer in found for n in LISTS if n in answer.fields}
    broken = {
        n
        for answer in found
        if has_more(answer.fields)
        for n in LISTS
        if n in answer.fields
    }
    return there - broken


def _places(estate: Estate, name: str, regions: Collection[str]) -> Iterator[Place]:
    """Say where a list was asked for: where what it names lies, and where it is said.

    A list without entries tells no place by itself. What the file says counts only if
    nothing in it lies elsewhere: then it may be of several regions.
    """
    for arn in estate.listed.get(name, ()):
        account, region = _place(estate, arn)
        if account and (region or arn.service == "s3"):
            yield account, region
    if not estate.caller:
        return
    if name == "Buckets":
        yield estate.caller, ""
    elif len(regions) == 1 and regions == _regions(estate) | set(regions):
        yield estate.caller, next(iter(regions))


def _place(estate: Estate, arn: Arn) -> Place:
    return (arn.account or estate.caller, arn.region)


def _regions(estate: Estate) -> set[str]:
    return {a.region for named in estate.listed.values() for a in named if a.region}
