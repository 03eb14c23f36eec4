"""Recognise the response in a file by its members, where the path names no endpoint."""

import re
from dataclasses import dataclass

import msgspec

from answerable.connectors.github.endpoints import (
    ENDPOINTS,
    AnswerAddress,
)
from answerable.connectors.github.parse.organization_responses import Parameters
from answerable.connectors.github.parse.saved_response import Fields, SavedAnswer

_REPOSITORY_URL = re.compile(rb'//[^/"]+/(?:api/v3/)?repos/([\w.-]+)/([\w.-]+)[/"]')
_ORGANIZATION_URL = re.compile(rb'//[^/"]+/(?:api/v3/)?orgs/([\w.-]+)[/"]')
_ENVIRONMENT_URL = re.compile(rb"/environments/([^/\"]+)/")
# Answers that hold nothing for the catalogue.
IGNORED = ""


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """Shape of an answer.

    Attributes:
        answer: Name of the answer; empty for one that is known and not read.
        members: Members that an entry or the object has.
        absent: Members that it does not have.
        file_word: Word in the file's name that tells two answers of one shape apart.
    """

    answer: str
    members: frozenset[str]
    absent: frozenset[str] = frozenset()
    file_word: str = ""


def _build_shape(
    answer: str, members: str, absent: str = "", file_word: str = ""
) -> AnswerShape:
    """Build a shape from members with spaces between them."""
    return AnswerShape(
        answer, frozenset(members.split()), frozenset(absent.split()), file_word
    )


SHAPES = (
    _build_shape("organization", "login default_repository_permission"),
    _build_shape("token-requests", "token_id owner permissions", file_word="request"),
    _build_shape("tokens", "token_id owner permissions"),
    _build_shape("installations", "app_id app_slug repository_selection"),
    _build_shape("app", "slug client_id owner"),
    _build_shape("token-repositories", "full_name owner", file_word="pat"),
    _build_shape(
        "organization-secret-repositories", "full_name owner", file_word="secret"
    ),
    _build_shape("repositories", "full_name owner default_branch"),
    _build_shape("collaborators", "login role_name permissions"),
    _build_shape("repository-roles", "base_role permissions", absent="source"),
    _build_shape("organization-roles", "name permissions organization"),
    _build_shape("runner-groups", "name visibility allows_public_repositories"),
    _build_shape(IGNORED, "name value created_at"),
    _build_shape("organization-secrets", "name visibility created_at updated_at"),
    _build_shape("organization-ruleset", "id enforcement rules", file_word="org"),
    _build_shape("ruleset", "id enforcement rules"),
    _build_shape("rulesets", "id enforcement source_type", absent="rules"),
    _build_shape("environments", "name protection_rules"),
    _build_shape("deploy-keys", "key title read_only"),
    _build_shape("branches", "name commit protected"),
    _build_shape("workflows", "path state name"),
    _build_shape("branch-protections", "pattern isAdminEnforced"),
    _build_shape("environment-branches", "name node_id id", file_word="polic"),
    _build_shape("organization-role-teams", "slug permission", file_word="role"),
    _build_shape("repository-teams", "slug permission", file_word="repo"),
    _build_shape("teams", "slug privacy parent"),
    _build_shape("organization-role-users", "login type", file_word="role"),
    _build_shape("outside-collaborators", "login type", file_word="outside"),
    _build_shape("owners", "login type", file_word="admin"),
    _build_shape("members", "login type", file_word="member"),
    _build_shape(IGNORED, "schemas totalResults"),
    _build_shape(IGNORED, "number secret_type state"),
    _build_shape(IGNORED, "enabled_repositories allowed_actions"),
)


def find_address_by_shape(
    answer: SavedAnswer, stem: str, parameters: Parameters
) -> AnswerAddress | str | None:
    """Find the endpoint of an answer by its members.

    Args:
        answer: Decoded answer.
        stem: Name of the file without its ending.
        parameters: Names that the user states: they come before those in addresses.

    Returns:
        The address; a text with what is missing for it; None for an unknown shape.
    """
    shape = _find_shape(answer, stem.lower())
    if shape is None:
        return None
    if not shape.answer:
        return ""
    endpoint = next(each for each in ENDPOINTS if each.answer == shape.answer)
    stated = {name: text for name, text in parameters.items() if text}
    named = {**_find_parameters(answer), **stated}
    needed = re.findall(r"\{(\w+)\}", endpoint.path)
    missing = [name for name in needed if not named.get(name)]
    if missing:
        return (
            f"a response of {shape.answer} without its {' and '.join(missing)} "
            f"(expected the file {endpoint.path}{endpoint.saved}.json)"
        )
    return AnswerAddress(endpoint, {name: named[name] for name in needed})


def _find_shape(answer: SavedAnswer, stem: str) -> AnswerShape | None:
    """Find the shape of an answer's first entry, or of the object itself."""
    members = set(answer.fields)
    if answer.items:
        try:
            members = set(msgspec.json.decode(answer.items[0], type=Fields))
        except msgspec.DecodeError:
            return None
    for each in SHAPES:
        fits = each.members <= members and not each.absent & members
        if fits and each.file_word in stem:
            return each
    return None


def _find_parameters(answer: SavedAnswer) -> Parameters:
    """Find names of the organization and the repository in an answer's addresses."""
    head = (
        bytes(answer.items[0]) if answer.items else msgspec.json.encode(answer.fields)
    )
    found: Parameters = {}
    if match := next(_REPOSITORY_URL.finditer(head), None):
        found = {"org": match[1].decode(), "repo": match[2].decode()}
    elif match := next(_ORGANIZATION_URL.finditer(head), None):
        found = {"org": match[1].decode()}
    if match := next(_ENVIRONMENT_URL.finditer(head), None):
        found["environment"] = match[1].decode()
    for name, member in (("app", "slug"), ("ruleset", "id")):
        if member in answer.fields:
            found[name] = bytes(answer.fields[member]).decode().strip('"')
    return found
