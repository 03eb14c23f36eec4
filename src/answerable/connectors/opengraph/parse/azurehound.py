"""Read the records of AzureHound as nodes and edges.

Source of kinds and fields: https://github.com/SpecterOps/AzureHound (`enums/kind.go`,
`models/`). A record is an object, or the relations of one object: a list of records
with a nested object or an id.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from answerable.connectors.formats.aws_api_responses import DECODE_ERRORS
from answerable.connectors.opengraph.parse.graph_builder import GraphBuilder
from answerable.model.foreign_graph import ForeignEdgeEnd


class _Record(msgspec.Struct, frozen=True):
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Relation:
    """Relation records of one kind.

    Attributes:
        items: Field with the list of records; empty if the record itself is one.
        start: Path to the id of the principal in a record.
        end: Field with the id of the object.
        kept: Paths of facts that become properties of the edge.
    """

    items: str
    start: tuple[str, ...]
    end: str
    kept: tuple[tuple[str, ...], ...] = ()


_ARM_ROLE = _Relation(
    "assignees",
    ("assignee", "properties", "principalId"),
    "objectId",
    (("roleDefinitionId",), ("assignee", "properties", "scope")),
)
_RELATIONS: Mapping[str, _Relation] = {
    "AZAppOwner": _Relation("owners", ("owner", "id"), "appId"),
    "AZDeviceOwner": _Relation("owners", ("owner", "id"), "deviceId"),
    "AZGroupMember": _Relation("members", ("member", "id"), "groupId"),
    "AZGroupOwner": _Relation("owners", ("owner", "id"), "groupId"),
    "AZServicePrincipalOwner": _Relation(
        "owners", ("owner", "id"), "servicePrincipalId"
    ),
    "AZRoleAssignment": _Relation(
        "roleAssignments",
        ("principalId",),
        "roleDefinitionId",
        (("directoryScopeId",),),
    ),
    "AZAppRoleAssignment": _Relation(
        "", ("principalId",), "resourceId", (("appRoleId",), ("principalType",))
    ),
    "AZOAuth2PermissionGrant": _Relation(
        "",
        ("clientId",),
        "resourceId",
        (("scope",), ("consentType",), ("principalId",)),
    ),
    "AZManagementGroupDescendant": _Relation("", ("id",), "parent"),
}
_ARM_SUFFIX = "RoleAssignment"
# Records about policies, which have no two ends that are nodes.
_UNREAD_SUFFIXES = (
    "AccessPolicy",
    "Owner",
    "Contributor",
    "UserAccessAdmin",
    "AdminLogin",
    "ScheduleInstance",
    "PolicyAssignment",
    "Member",
    "FIC",
)


def read_azurehound(builder: GraphBuilder, records: Iterable[msgspec.Raw]) -> None:
    """Read each record; kinds that are not read are faults."""
    for number, raw in enumerate(records):
        at = f"/data/{number}"
        try:
            record = msgspec.json.decode(raw, type=_Record)
        except DECODE_ERRORS:
            builder.faults.append((at, "not a record of AzureHound"))
            continue
        relation = _find_relation(record.kind)
        if relation is not None:
            _read_relation(builder, at, record, relation)
        elif record.kind.endswith(_UNREAD_SUFFIXES):
            builder.faults.append(
                (at, f"records of kind {record.kind} are not supported")
            )
        else:
            _read_object(builder, at, record)


def _find_relation(kind: str) -> _Relation | None:
    """Find how the relations of a kind are read; None for other kinds."""
    found = _RELATIONS.get(kind)
    return _ARM_ROLE if found is None and kind.endswith(_ARM_SUFFIX) else found


def _read_object(builder: GraphBuilder, at: str, record: _Record) -> None:
    """Read an object of the directory or a resource; nested objects are left out."""
    properties = {
        name: value
        for name, value in record.data.items()
        if not isinstance(value, dict)
        and not (isinstance(value, list) and any(isinstance(e, dict) for e in value))
    }
    identity = record.data.get("id") or record.data.get("tenantId")
    builder.add_node(
        at,
        identity if isinstance(identity, str) else "",
        (record.kind,),
        {**properties, "displayname": record.data.get("displayName")},
    )


def _read_relation(
    builder: GraphBuilder, at: str, record: _Record, relation: _Relation
) -> None:
    """Read the relations of one object."""
    items = record.data.get(relation.items) if relation.items else [record.data]
    for item in items or () if isinstance(items, list | None) else [None]:
        start = _get_path(item, relation.start)
        end = _get_path(item, (relation.end,)) or _get_path(
            record.data, (relation.end,)
        )
        if not isinstance(start, str) or not isinstance(end, str):
            builder.faults.append((at, f"a {record.kind} has no start or no end node"))
            continue
        kept = {path[-1]: _get_path(item, path) for path in relation.kept}
        builder.add_edge(
            at, record.kind, ForeignEdgeEnd(start), ForeignEdgeEnd(end), kept
        )


def _get_path(value: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path of members; None where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
