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
    Reading,
)
from answerable.connectors.aws_resources.parse.bedrock_agents import AgentReader
from answerable.connectors.aws_resources.parse.coverage import held
from answerable.connectors.aws_resources.parse.resource_facts import (
    Building,
    facts,
    read_questions,
)
from answerable.connectors.aws_resources.parse.resource_lists import Estate, read_lists
from answerable.connectors.aws_resources.parse.resource_names import Names
from answerable.connectors.formats.aws_api_answers import (
    UNREADABLE,
    Answer,
    answers,
    wrong_kind,
)
from answerable.model.coverage import Held
from answerable.model.errors import IdError
from answerable.model.ids import Arn
from answerable.model.sighting import Facts, Problem

EXPECTED = "answers about AWS resources"
CALLER = "Account"  # of sts get-caller-identity, beside `Arn`
REGION = "Region"  # where the lists were asked for; no answer says it
# Fields of files that belong to other sources; some have names of ours, too.
_ELSEWHERE = ("UserDetailList", "RoleDetailList", "AccessKeyMetadata", "Organization")
_WORDS = (
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
_RUNNING = {"Functions", "Reservations"}
_AGENTS = {"agentSummaries", "agentRuntimes"}
_LISTED = {"ResourceTagMappingList", "AccessPointList", *_RUNNING, *_AGENTS}


@dataclass(frozen=True, slots=True)
class Parsed:
    """Parsed resources; `collected` are coverage kinds, `held` their places."""

    facts: Facts
    problems: tuple[Problem, ...]
    collected: tuple[str, ...]
    held: tuple[Held, ...]


def parse(data: bytes, *, source: str, place: str, now: int) -> Parsed:
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
    found = answers(data, place)
    for answer in found:
        known = any(name in answer.fields for name in (*FIELDS, CALLER, REGION))
        if not known or any(name in answer.fields for name in _ELSEWHERE):
            raise wrong_kind(answer.fields, place, EXPECTED)
    if not any(name in answer.fields for answer in found for name in FIELDS):
        raise wrong_kind((), place, EXPECTED)
    return parse_answers(found, source=source, place=place, now=now)


def parse_answers(
    found: Sequence[Answer], *, source: str, place: str, now: int
) -> Parsed:
    """Parse answers of a known kind."""
    reading = Reading()
    estate = Estate(reading)
    _caller(estate, found, place)
    regions = {_text(answer, REGION) for answer in found if REGION in answer.fields}
    regions -= {""}
    estate.region = next(iter(regions)) if len(regions) == 1 else ""
    for answer in found:
        base = f"{place}#{answer.pointer}"
        read_lists(estate, answer.fields, base)
        reading.more(answer.fields, base)
    build = Building(source, now, estate)
    for answer in found:
        read_questions(build, answer.fields, f"{place}#{answer.pointer}")
    agents = AgentReader(estate, source, now)
    for answer in found:
        agents.read(answer.fields, f"{place}#{answer.pointer}")
    made = replace(facts(build), agents=tuple(agents.all_agents()))
    _owners(estate, place)
    answered = [h for p, h in build.holders.items() if p == f"{h}#policy"]
    return Parsed(
        made,
        reading.all_problems(),
        _collected(estate, found),
        held(estate, found, answered, regions),
    )


def _caller(estate: Estate, found: Sequence[Answer], place: str) -> None:
    """Set the scanned account: nothing else identifies a bucket's owner."""
    numbers = {_text(answer, CALLER) for answer in found if CALLER in answer.fields}
    for answer in found:
        if CALLER in answer.fields and "Arn" in answer.fields:
            try:
                partition = Arn.parse(_text(answer, "Arn")).partition
            except IdError:
                continue
            estate.names = Names(partition or "aws")
    good = [number for number in numbers if len(number) == 12 and number.isdecimal()]
    if len(good) == 1 == len(numbers):
        (estate.caller,) = good
    elif numbers:
        what = "one account a file: which one owns the buckets cannot be told"
        estate.reading.problem(place, what)


def _text(answer: Answer, name: str) -> str:
    try:
        return msgspec.json.decode(answer.fields[name], type=str)
    except UNREADABLE:
        return ""


def _owners(estate: Estate, place: str) -> None:
    bare = [item for item in estate.items.values() if not item.account]
    if any(item.arn.service == "s3" for item in bare) and not estate.caller:
        what = "whose the buckets are is not said: add `aws sts get-caller-identity`"
        estate.reading.problem(place, what)


def _collected(estate: Estate, found: Sequence[Answer]) -> tuple[str, ...]:
    """List the answered kinds; a kind with only refusals is not included."""
    present = {name for answer in found for name in _LISTED if name in answer.fields}
    there = estate.seen | present
    words = [word for word, fields in _WORDS if there & set(fields)]
    if there >= _RUNNING:
        words.append(declaration.RUNNING)
    if there >= _AGENTS:
        words.append(declaration.AGENTS)
    return tuple(words)
