"""Parse lists of the Azure CLI and of Azure Resource Manager.

Sources: output of `az role assignment list`, `az role definition list` and `az ad sp
list`; Azure REST API reference, "Role Assignments", "Role Definitions" and "Deny
Assignments", whose objects have their fields in `properties`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from answerable.model.azure_roles import (
    AzureAssignment,
    AzureDenial,
    AzurePermissions,
    AzureRoles,
    get_subscription,
)
from answerable.model.errors import ParseError
from answerable.model.sighting import ReadProblem, ReadProblemKind

EXPECTED_KIND = "output of the Azure CLI as JSON"
_MOST_PROBLEMS = 20  # objects of one file


class _RolePermissions(msgspec.Struct, rename="camel"):
    actions: list[str] | None = None
    not_actions: list[str] | None = None
    data_actions: list[str] | None = None
    not_data_actions: list[str] | None = None

    def build(self) -> AzurePermissions:
        """Build the block of permissions."""
        lists = (
            self.actions,
            self.not_actions,
            self.data_actions,
            self.not_data_actions,
        )
        return AzurePermissions(
            *(tuple(text.lower() for text in each or ()) for each in lists)
        )


class _DenyPrincipal(msgspec.Struct):
    id: str
    type: str = ""


class _AzureFields(msgspec.Struct, rename="camel"):
    id: str | None = None
    name: str | None = None
    app_id: str | None = None
    principal_id: str | None = None
    principal_type: str | None = None
    principal_name: str | None = None
    role_definition_id: str | None = None
    scope: str | None = None
    condition: str | None = None
    permissions: list[_RolePermissions] | None = None
    deny_assignment_name: str | None = None
    principals: list[_DenyPrincipal] | None = None
    exclude_principals: list[_DenyPrincipal] | None = None
    do_not_apply_to_child_scopes: bool | None = None


class _AzureObject(msgspec.Struct):
    id: str | None = None
    name: str | None = None
    properties: msgspec.Raw = msgspec.Raw(b"")


class _AzurePage(msgspec.Struct):
    value: list[msgspec.Raw]
    nextLink: str | None = None  # noqa: N815 - the word of the API


@dataclass(slots=True)
class RolesBuilder:
    """Roles of the files that were read so far.

    Attributes:
        listed: Kinds of lists that were read, by coverage word.
    """

    subscriptions: set[str] = field(default_factory=set)
    assignments: dict[AzureAssignment, None] = field(default_factory=dict)
    roles: dict[str, tuple[AzurePermissions, ...]] = field(default_factory=dict)
    denials: list[AzureDenial] = field(default_factory=list)
    applications: dict[str, str] = field(default_factory=dict)
    problems: list[ReadProblem] = field(default_factory=list)

    def read(self, data: bytes, place: str) -> None:
        """Read the objects of a file.

        Raises:
            ParseError: It is not a list of the Azure CLI.
        """
        faults = 0
        for number, raw in enumerate(self._iterate_objects(data, place)):
            fault = self._read_object(raw)
            if fault and faults < _MOST_PROBLEMS:
                faults += 1
                where = f"{place}#/{number}"
                self.problems.append(ReadProblem(ReadProblemKind.INVALID, where, fault))

    def _iterate_objects(self, data: bytes, place: str) -> Iterator[msgspec.Raw]:
        """Yield the objects of a list, of a page, or the only one."""
        text = _decode(data)
        if not text:  # a command that fails leaves an empty file; none is `[]`
            why = "an empty file (expected JSON, `[]` for an empty list)"
            raise ParseError(why, place)
        try:
            if text.startswith(b"["):
                yield from msgspec.json.decode(text, type=list[msgspec.Raw])
                return
            found = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
            if "value" not in found:
                yield msgspec.Raw(text)
                return
            page = msgspec.json.decode(text, type=_AzurePage)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise ParseError("not a JSON list of the Azure CLI", place) from None
        if page.nextLink:
            what = "one page of a longer list (expected all pages)"
            self.problems.append(
                ReadProblem(ReadProblemKind.INVALID, f"{place}#/nextLink", what)
            )
        yield from page.value

    def _read_object(self, raw: msgspec.Raw) -> str:
        """Read one object; return why it cannot be read, empty if it can."""
        try:
            outer = msgspec.json.decode(raw, type=_AzureObject)
            is_nested = bytes(outer.properties).startswith(b"{")
            fields = outer.properties if is_nested else raw
            given = msgspec.json.decode(fields, type=_AzureFields)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return "not an object of the Azure CLI"
        given.id, given.name = outer.id or "", outer.name or ""
        if given.role_definition_id and given.principal_id:
            return self._read_assignment(given)
        if given.deny_assignment_name is not None:
            return self._read_denial(given)
        if given.permissions is not None:
            role = _get_last_part(given.id or given.name)
            self.roles[role] = tuple(each.build() for each in given.permissions)
            return ""
        if given.app_id and given.id:
            self.applications[given.app_id.lower()] = given.id.lower()
            return ""
        return "not a role assignment, role definition or service principal"

    def _read_assignment(self, given: _AzureFields) -> str:
        """Read a role assignment."""
        if given.scope is None:
            return "a role assignment without a scope"
        scope = _normalise_scope(given.scope)
        built = AzureAssignment(
            principal=(given.principal_id or "").lower(),
            kind=given.principal_type or "",
            name=(given.principal_name or "").lower(),
            role=_get_last_part(given.role_definition_id or ""),
            scope=scope,
            has_condition=bool(given.condition),
        )
        self.assignments[built] = None
        paths = (scope, (given.role_definition_id or "").lower())
        self.subscriptions |= {found for p in paths if (found := get_subscription(p))}
        return ""

    def _read_denial(self, given: _AzureFields) -> str:
        """Read a deny assignment."""
        if given.scope is None or given.permissions is None:
            return "a deny assignment without a scope or permissions"
        self.denials.append(
            AzureDenial(
                scope=_normalise_scope(given.scope),
                permissions=tuple(each.build() for each in given.permissions),
                principals={e.id.lower(): e.type for e in given.principals or ()},
                excluded={e.id.lower(): e.type for e in given.exclude_principals or ()},
                only_here=bool(given.do_not_apply_to_child_scopes),
            )
        )
        return ""

    def build(self, subscription: str, assignee: str) -> AzureRoles:
        """Build the roles; the options of the location add to what the lists say."""
        named = {subscription.lower()} - {""}
        return AzureRoles(
            subscriptions=tuple(sorted(self.subscriptions | named)),
            assignee=assignee.lower(),
            assignments=tuple(self.assignments),
            roles=self.roles,
            denials=tuple(self.denials),
            applications=self.applications,
        )


def _decode(data: bytes) -> bytes:
    """Return the text in UTF-8; Windows PowerShell writes `>` in UTF-16."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").strip().encode()
    return data.removeprefix(b"\xef\xbb\xbf").strip()


def _normalise_scope(scope: str) -> str:
    """Return a scope in lower case, without a slash at its end."""
    return scope.strip().rstrip("/").lower()


def _get_last_part(path: str) -> str:
    """Return the last part of a path, in lower case."""
    return path.rstrip("/").rpartition("/")[2].lower()
