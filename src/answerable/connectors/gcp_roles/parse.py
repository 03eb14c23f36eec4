"""Parse role definitions, and the packaged catalogue of predefined roles."""

import msgspec

from answerable.connectors.formats.google_api_responses import (
    get_text,
    iterate_answers,
    read_role,
)
from answerable.model.errors import ParseError
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.reach.gcp.catalogue import GoogleRole
from answerable.reach.gcp.role_catalogue import PredefinedRoles


class RoleFile(msgspec.Struct):
    """File of the packaged catalogue.

    Attributes:
        roles: By name, ranges of numbers of `permissions`.
    """

    origin: str
    licence: str
    date: str
    permissions: tuple[str, ...]
    roles: dict[str, str]


def parse_catalogue(data: bytes) -> PredefinedRoles:
    """Parse the packaged catalogue.

    Raises:
        msgspec.DecodeError: It is damaged.
    """
    found = msgspec.json.decode(data, type=RoleFile)
    return PredefinedRoles(found.permissions, found.roles, found.date)


def parse_roles(
    data: bytes, place: str
) -> tuple[dict[str, GoogleRole], list[ReadProblem]]:
    """Parse role definitions; one without permissions is a problem."""
    roles: dict[str, GoogleRole] = {}
    problems: list[ReadProblem] = []

    def add_problem(where: str, what: str) -> None:
        problems.append(ReadProblem(ReadProblemKind.INVALID, where, what))

    try:
        for answer in iterate_answers(data, place):
            role = None if answer.fault else read_role(answer.raw)
            if role is not None:
                roles[role.name] = role
            else:
                name = get_text(answer.raw, "name")
                what = answer.fault or f"the role has no permissions ({name[:80]})"
                add_problem(answer.place, what)
    except ParseError as error:
        add_problem(place, error.reason)
    return roles, problems
