"""Parse responses about AWS resources into resources, policies, roles and problems."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from answerable.connectors.aws_resources import declaration
from answerable.connectors.aws_resources.parse.bedrock_agents import BedrockAgentReader
from answerable.connectors.aws_resources.parse.coverage import compute_coverage
from answerable.connectors.aws_resources.parse.resource_facts import (
    ResourceFactsBuilder,
    build_facts,
    read_answers_by_queried_id,
)
from answerable.connectors.aws_resources.parse.resource_lists import (
    ResourceInventory,
    read_lists,
)
from answerable.connectors.aws_resources.parse.resource_names import ResourceNames
from answerable.connectors.aws_resources.parse.response_fields import (
    ACCESS_POINT,
    ACCOUNT_BLOCK,
    BUCKET_BLOCK,
    FIELDS,
    GRANTS,
    POLICIES,
    AnswerReader,
)
from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    AwsAnswer,
    parse_aws_answers,
    wrong_kind_error,
)
from answerable.connectors.parsed_source import ParsedAwsAnswers
from answerable.model.errors import IdError
from answerable.model.ids import Arn

EXPECTED_KIND = "responses about AWS resources"
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


def parse(data: bytes, *, source: str, place: str, now: int) -> ParsedAwsAnswers:
    """Parse a file of answers about resources.

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
    answers: Sequence[AwsAnswer], *, source: str, place: str, now: int
) -> ParsedAwsAnswers:
    """Parse already decoded answers about resources."""
    reader = AnswerReader()
    inventory = ResourceInventory(reader)
    _set_caller_account(inventory, answers, place)
    regions = {
        _read_text(answer, REGION) for answer in answers if REGION in answer.fields
    }
    regions -= {""}
    inventory.region = next(iter(regions)) if len(regions) == 1 else ""
    for answer in answers:
        base = f"{place}#{answer.pointer}"
        read_lists(inventory, answer.fields, base)
        reader.report_if_truncated(answer.fields, base)
    builder = ResourceFactsBuilder(source, now, inventory)
    for answer in answers:
        read_answers_by_queried_id(builder, answer.fields, f"{place}#{answer.pointer}")
    agents = BedrockAgentReader(inventory, source, now)
    for answer in answers:
        agents.read_agents_of_answer(answer.fields, f"{place}#{answer.pointer}")
    made = replace(build_facts(builder), agents=tuple(agents.list_agents()))
    _check_bucket_owners(inventory, place)
    answered = [h for p, h in builder.holders.items() if p == f"{h}#policy"]
    return ParsedAwsAnswers(
        made,
        reader.list_problems(),
        _list_collected_kinds(inventory, answers),
        compute_coverage(inventory, answers, answered, regions),
    )


def _set_caller_account(
    inventory: ResourceInventory, answers: Sequence[AwsAnswer], place: str
) -> None:
    """Set the scanned account: nothing else identifies a bucket's owner."""
    numbers = {
        _read_text(answer, CALLER) for answer in answers if CALLER in answer.fields
    }
    for answer in answers:
        if CALLER in answer.fields and "Arn" in answer.fields:
            try:
                partition = Arn.parse(_read_text(answer, "Arn")).partition
            except IdError:
                continue
            inventory.names = ResourceNames(partition or "aws")
    good = [number for number in numbers if len(number) == 12 and number.isdecimal()]
    if len(good) == 1 == len(numbers):
        (inventory.caller,) = good
    elif numbers:
        what = (
            "the file contains several accounts, so the account of the buckets is "
            "unknown: use one file per account"
        )
        inventory.reader.add_problem(place, what)


def _read_text(answer: AwsAnswer, name: str) -> str:
    """Decode a string field of an answer, empty if missing or invalid."""
    try:
        return msgspec.json.decode(answer.fields[name], type=str)
    except DECODE_ERRORS:
        return ""


def _check_bucket_owners(inventory: ResourceInventory, place: str) -> None:
    """Add a problem if the account that owns a listed bucket is unknown."""
    bare = [item for item in inventory.items.values() if not item.account]
    if any(item.arn.service == "s3" for item in bare) and not inventory.caller:
        what = (
            "the account of the buckets is unknown: add `aws sts get-caller-identity`"
        )
        inventory.reader.add_problem(place, what)


def _list_collected_kinds(
    inventory: ResourceInventory, answers: Sequence[AwsAnswer]
) -> tuple[str, ...]:
    """List the answered kinds; a kind with only refused calls is excluded."""
    present = {
        name
        for answer in answers
        for name in _LISTS_WITH_FACTS
        if name in answer.fields
    }
    there = inventory.answered_fields | present
    words = [word for word, fields in _FIELDS_OF_KIND if there & set(fields)]
    if there >= _RUNNING_CODE_LISTS:
        words.append(declaration.RUNNING)
    if there >= _AGENT_LISTS:
        words.append(declaration.AGENTS)
    return tuple(words)
