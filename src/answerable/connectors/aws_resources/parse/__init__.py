"""Parser of answers about resources. Pure: bytes in, facts and problems out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from answerable.connectors.aws_resources import declaration
from answerable.connectors.aws_resources.parse.answer_fields import (
    ACCESS_POINT,
    ACCOUNT_BLOCK,
    BUCKET_BLOCK,
    FIELDS,
    GRANTS,
    POLICIES,
    AnswerReader,
)
from answerable.connectors.aws_resources.parse.bedrock_agents import BedrockAgentReader
from answerable.connectors.aws_resources.parse.coverage import compute_coverage
from answerable.connectors.aws_resources.parse.resource_facts import (
    ResourceFactsBuilder,
    build_facts,
    read_answers,
)
from answerable.connectors.aws_resources.parse.resource_lists import (
    ResourceInventory,
    read_lists,
)
from answerable.connectors.aws_resources.parse.resource_names import ResourceNames
from answerable.connectors.formats.aws_api_answers import (
    DECODE_ERRORS,
    AwsAnswer,
    parse_aws_answers,
    wrong_kind_error,
)
from answerable.model.coverage import CoverageScope
from answerable.model.errors import IdError
from answerable.model.ids import Arn
from answerable.model.sighting import ReadProblem, SightedFacts

EXPECTED_KIND = "answers about AWS resources"
CALLER = "Account"  # field of sts get-caller-identity, next to `Arn`
REGION = "Region"  # where the lists were asked for; no answer says it
# Fields of files that belong to other sources; some have names of ours, too.
_OTHER_DOCUMENT_FIELDS = (
    "UserDetailList",
    "RoleDetailList",
    "AccessKeyMetadata",
    "Organization",
)
_FIELDS_OF_KIND = (
    (declaration.POLICIES, tuple(question.field for question in POLICIES)),
    (
        declaration.PUBLIC_ACCESS,
        (BUCKET_BLOCK.field, ACCOUNT_BLOCK.field, ACCESS_POINT.field),
    ),
    # Tags of buckets alone say nothing of other kinds.
    (declaration.TAGS, ("ResourceTagMappingList",)),
    (declaration.ACCESS_POINTS, ("AccessPointList", ACCESS_POINT.field)),
    (declaration.GRANTS, (GRANTS.field,)),
)
_RUNNING_CODE_LISTS = {"Functions", "Reservations"}
_AGENT_LISTS = {"agentSummaries", "agentRuntimes"}
_LISTS_WITH_FACTS = {
    "ResourceTagMappingList",
    "AccessPointList",
    *_RUNNING_CODE_LISTS,
    *_AGENT_LISTS,
}


@dataclass(frozen=True, slots=True)
class ParsedResources:
    """Parsed resources; `collected` are coverage kinds, `held` their places."""

    facts: SightedFacts
    problems: tuple[ReadProblem, ...]
    collected: tuple[str, ...]
    held: tuple[CoverageScope, ...]


def parse(data: bytes, *, source: str, place: str, now: int) -> ParsedResources:
    """Parse answers about resources.

    Args:
        data: One object, or several; see docs/aws.md.
        source: The sync's source.
        place: The file.
        now: UTC nanoseconds.

    Raises:
        UsageError: The file has other content; the hint names its source.
        ParseError: The bytes are not JSON.
    """
    found = parse_aws_answers(data, place)
    for answer in found:
        known = any(name in answer.fields for name in (*FIELDS, CALLER, REGION))
        if not known or any(name in answer.fields for name in _OTHER_DOCUMENT_FIELDS):
            raise wrong_kind_error(answer.fields, place, EXPECTED_KIND)
    if not any(name in answer.fields for answer in found for name in FIELDS):
        raise wrong_kind_error((), place, EXPECTED_KIND)
    return parse_answers(found, source=source, place=place, now=now)


def parse_answers(
    found: Sequence[AwsAnswer], *, source: str, place: str, now: int
) -> ParsedResources:
    """Parse answers of a known kind."""
    reading = AnswerReader()
    estate = ResourceInventory(reading)
    _set_caller_account(estate, found, place)
    regions = {
        _read_text(answer, REGION) for answer in found if REGION in answer.fields
    }
    regions -= {""}
    estate.region = next(iter(regions)) if len(regions) == 1 else ""
    for answer in found:
        base = f"{place}#{answer.pointer}"
        read_lists(estate, answer.fields, base)
        reading.check_complete(answer.fields, base)
    build = ResourceFactsBuilder(source, now, estate)
    for answer in found:
        read_answers(build, answer.fields, f"{place}#{answer.pointer}")
    agents = BedrockAgentReader(estate, source, now)
    for answer in found:
        agents.read(answer.fields, f"{place}#{answer.pointer}")
    made = replace(build_facts(build), agents=tuple(agents.list_agents()))
    _check_bucket_owners(estate, place)
    answered = [h for p, h in build.holders.items() if p == f"{h}#policy"]
    return ParsedResources(
        made,
        reading.list_problems(),
        _list_collected_kinds(estate, found),
        compute_coverage(estate, found, answered, regions),
    )


def _set_caller_account(
    estate: ResourceInventory, found: Sequence[AwsAnswer], place: str
) -> None:
    """Set the scanned account: nothing else identifies a bucket's owner."""
    numbers = {
        _read_text(answer, CALLER) for answer in found if CALLER in answer.fields
    }
    for answer in found:
        if CALLER in answer.fields and "Arn" in answer.fields:
            try:
                partition = Arn.parse(_read_text(answer, "Arn")).partition
            except IdError:
                continue
            estate.names = ResourceNames(partition or "aws")
    good = [number for number in numbers if len(number) == 12 and number.isdecimal()]
    if len(good) == 1 == len(numbers):
        (estate.caller,) = good
    elif numbers:
        what = "one account a file: which one owns the buckets cannot be told"
        estate.reading.add_problem(place, what)


def _read_text(answer: AwsAnswer, name: str) -> str:
    try:
        return msgspec.json.decode(answer.fields[name], type=str)
    except DECODE_ERRORS:
        return ""


def _check_bucket_owners(estate: ResourceInventory, place: str) -> None:
    bare = [item for item in estate.items.values() if not item.account]
    if any(item.arn.service == "s3" for item in bare) and not estate.caller:
        what = "whose the buckets are is not said: add `aws sts get-caller-identity`"
        estate.reading.add_problem(place, what)


def _list_collected_kinds(
    estate: ResourceInventory, found: Sequence[AwsAnswer]
) -> tuple[str, ...]:
    """List the answered kinds; a kind with only refusals is not included."""
    present = {
        name for answer in found for name in _LISTS_WITH_FACTS if name in answer.fields
    }
    there = estate.seen | present
    words = [word for word, fields in _FIELDS_OF_KIND if there & set(fields)]
    if there >= _RUNNING_CODE_LISTS:
        words.append(declaration.RUNNING)
    if there >= _AGENT_LISTS:
        words.append(declaration.AGENTS)
    return tuple(words)
