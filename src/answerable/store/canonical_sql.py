"""SQL that encodes the rows of a segment as canonical records.

It is a fast second form of `evidence.canonical_event`: equal bytes for every row whose
texts hold no control character, which JSON may escape in two ways. A reader compares
hashes of the records, and decides on a different one with that module.
"""

from answerable.evidence.canonical_event import FIELDS, MAX_SAFE_INTEGER
from answerable.store.event_columns import TYPES

# Fields that are written whatever their value.
_REQUIRED = frozenset(
    {
        "action",
        "event_id",
        "event_time",
        "outcome",
        "raw_sha256",
        "scope",
        "source",
        "written_by",
    }
)


def build_leaf_inputs_sql(source: str) -> str:
    """Build the SQL query of the bytes that the leaves of a source's rows hash.

    They are 0x00 and the canonical record (RFC 6962 2.1), in the order of the rows.

    Args:
        source: Trusted SQL of a table with the columns of a segment.
    """
    members = ", ".join(map(_build_member_sql, FIELDS))
    return f"SELECT encode(concat(chr(0), {members}, '}}')) FROM {source}"  # noqa: S608 - our own names


def _build_member_sql(name: str) -> str:
    """Build the SQL of one member of the JSON object, empty for a default."""
    kind, column = TYPES[name], f'"{name}"'
    if kind == "BLOB":
        value = f"'\"' || lower(hex({column})) || '\"'"
        is_default = f"octet_length({column}) = 0"
    elif kind == "BIGINT":
        value = (
            f"CASE WHEN {column} BETWEEN -{MAX_SAFE_INTEGER} AND {MAX_SAFE_INTEGER} "
            f"THEN {column}::VARCHAR ELSE '\"' || {column}::VARCHAR || '\"' END"
        )
        is_default = f"{column} = {1 if name == 'schema' else 0}"
    else:
        value = f"to_json({column})::VARCHAR"
        is_default = f"{column} = ''" if kind == "VARCHAR" else f"len({column}) = 0"
    lead = "{" if name == FIELDS[0] else ","
    # `||` of a NULL is NULL, and `concat` would leave it out: no record has one.
    member = f"coalesce('{lead}\"{name}\":' || {value}, '?')"
    if name in _REQUIRED:
        return member
    return f"CASE WHEN {is_default} THEN '' ELSE {member} END"
