"""Build people and ownership evidence from code owners."""

import re
from collections.abc import Iterable

from answerable.connectors.formats.codeowners import CodeOwners
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.connectors.formats.redaction import make_printable_line
from answerable.model.agent import Agent
from answerable.model.ids import PersonId, build_person_id
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, Person
from answerable.model.provenance import WrittenBy

_OWNER = re.compile(
    r"@[A-Za-z0-9][A-Za-z0-9-]{0,99}(?:/[A-Za-z0-9_.-]{1,100})?"
    r"|[^\s@]{1,100}@[A-Za-z0-9.-]{1,100}"
)


def build_code_owner_evidence(
    owners: CodeOwners,
    agents: Iterable[tuple[Agent, str, WrittenBy]],
    place: str,
    context: SightingContext,
) -> tuple[tuple[Person, ...], tuple[OwnerEvidence, ...]]:
    """Build evidence of the owners that the file names for each agent.

    Args:
        owners: Parsed file.
        agents: Each with the path of its configuration, and the file's author class
            with respect to that agent.
        place: Path of the file.
        context: Context shared by all sightings.
    """
    people: dict[PersonId, Person] = {}
    evidence: list[OwnerEvidence] = []
    for agent, path, written_by in agents:
        rule = owners.find_rule(path)
        for owner in rule.owners if rule is not None else ():
            if rule is None or not _OWNER.fullmatch(owner):
                continue
            seen = context.get_provenance(f"{place}#/{rule.line}", written_by)
            person = build_person_id(owner.removeprefix("@"))
            team = owner[0] == "@" and "/" in owner
            people[person] = Person(person, "", (), team=team, alive=True, seen=seen)
            evidence.append(
                OwnerEvidence(
                    subject=agent.id,
                    person=person,
                    kind=OwnerEvidenceKind.CODEOWNERS,
                    reference=make_printable_line(f"{rule.pattern} {owner}", 120),
                    act="",
                    standing=True,
                    seen=seen,
                )
            )
    return tuple(people.values()), tuple(evidence)
