"""Columns that an event needs of a lake's table, and those that a table lacks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyarrow import Schema

# Columns without which no row is an event.
OCSF_TABLE = ("metadata", "actor", "api", "time")
CLOUDTRAIL_TABLE = ("eventname", "eventsource", "eventtime", "useridentity")
# Members without which an event lacks facts; alternatives are divided by `|`.
_OCSF_MEMBERS = (
    "metadata.uid",
    "metadata.product.name",
    "actor.user.uid|actor.user.uuid",
    "actor.user.credential_uid",
    "api.operation",
    "api.service.name",
    "api.request.data",
    "api.response.error",
    "cloud.region",
    "src_endpoint.ip",
    "resources.uid",
    "unmapped",
)
_CLOUDTRAIL_MEMBERS = (
    "eventid",
    "errorcode",
    "awsregion",
    "sourceipaddress",
    "requestparameters",
    "responseelements",
    "resources.arn",
    "recipientaccountid",
    "useridentity.arn",
    "useridentity.accesskeyid",
)
PRODUCT = "metadata.product.name"


def is_ocsf_table(columns: Sequence[str]) -> bool:
    """Return whether a table has API calls in OCSF."""
    return set(OCSF_TABLE) <= set(columns)


def is_cloudtrail_table(columns: Sequence[str]) -> bool:
    """Return whether a table has the columns of CloudTrail records."""
    return set(CLOUDTRAIL_TABLE) <= set(columns)


def list_missing_table_columns(columns: Sequence[str]) -> list[str]:
    """List the columns that a table lacks to be one of events; empty for another table.

    A table of OCSF is one of events only if CloudTrail is its product.
    """
    for wanted, least in ((CLOUDTRAIL_TABLE, 2), (OCSF_TABLE, 1)):
        there = set(wanted) & set(columns) - {"time"}
        if len(there) >= least:
            return [name for name in wanted if name not in columns]
    return []


def list_missing_members(schema: "Schema") -> list[str]:
    """List the members that the columns of a table of events lack."""
    is_ocsf = is_ocsf_table(schema.names)
    return [
        each
        for each in (_OCSF_MEMBERS if is_ocsf else _CLOUDTRAIL_MEMBERS)
        if not any(has_member(schema, path) for path in each.split("|"))
    ]


def has_member(schema: "Schema", path: str) -> bool:
    """Return whether a schema has a nested member; lists are passed through."""
    import pyarrow.types as kinds

    name, *rest = path.split(".")
    if name not in schema.names:
        return False
    kind: Any = schema.field(name).type
    for name in rest:
        while kinds.is_list(kind) or kinds.is_large_list(kind):
            kind = kind.value_type
        if kinds.is_null(kind):  # no row has a value
            return True
        if not kinds.is_struct(kind) or kind.get_field_index(name) < 0:
            return False
        kind = kind.field(name).type
    return True
