"""Find the origin of an argument value: a request, an owner's table, a result."""

from collections.abc import Mapping

from answerable.baseline.entity_extraction import (
    ArgumentEntity,
    canonicalise_entity,
    classify_entity_kind,
)
from answerable.baseline.request_values import MIN_VALUE
from answerable.baseline.result_buffer import FieldHit, fold_case
from answerable.model.behaviour import (
    EntityKind,
    OriginKind,
    ReferenceTable,
    ValueOrigin,
)

TablesBySink = Mapping[tuple[str, str], tuple[tuple[str, frozenset[bytes]], ...]]


def index_owner_tables(tables: tuple[ReferenceTable, ...]) -> TablesBySink:
    """Index the trusted owner tables by the argument they explain."""
    found: dict[tuple[str, str], tuple[tuple[str, frozenset[bytes]], ...]] = {}
    for table in sorted(tables, key=lambda each: each.name):
        if not table.written_by.is_trusted_author:
            continue
        values = frozenset(
            fold_case(canonicalise_entity(classify_entity_kind(value), value))
            for value in table.values
        )
        for sink in table.sinks:
            found[sink] = (*found.get(sink, ()), (table.name, values))
    return found


def list_search_forms(entity: ArgumentEntity) -> tuple[bytes, ...]:
    """Return the forms of an entity to search for, the canonical first."""
    plain = fold_case(entity.text)
    if entity.kind is not EntityKind.IBAN:
        return (plain,)
    groups = [entity.text[i : i + 4] for i in range(0, len(entity.text), 4)]
    return (plain, fold_case(" ".join(groups)))


def find_request_origins(
    requested_values: tuple[tuple[str, frozenset[bytes]], ...],
    spellings: tuple[bytes, ...],
) -> tuple[ValueOrigin, ...]:
    """Return the person's request that names a value, if one does."""
    for id, values in requested_values:
        if len(spellings[0]) >= MIN_VALUE and not values.isdisjoint(spellings):
            return (ValueOrigin(OriginKind.REQUEST, call=id),)
    return ()


def find_table_origins(
    tables: tuple[tuple[str, frozenset[bytes]], ...], spellings: tuple[bytes, ...]
) -> tuple[ValueOrigin, ...]:
    """Return the owner tables that contain a value."""
    return tuple(
        ValueOrigin(OriginKind.TABLE, name, whole=True)
        for name, values in tables
        if spellings[0] in values
    )


def find_result_origins(
    hits: list[FieldHit], first_stored_turn: int | None
) -> tuple[ValueOrigin, ...]:
    """Return the earlier tool results that hold a value, best first.

    Args:
        hits: Occurrences of the value.
        first_stored_turn: Turn in which the run itself may have written it; reads from
            then on are untrusted.
    """
    found: dict[
        tuple[str, tuple[tuple[str, str], ...], str, bool, bool], ValueOrigin
    ] = {}
    for hit in hits:
        of = hit.field
        if not hit.bounded:
            continue
        trusted = of.trusted and (
            first_stored_turn is None or of.turn < first_stored_turn
        )
        key = (of.tool, of.selector, of.path, hit.whole, trusted)
        if key not in found:
            found[key] = ValueOrigin(
                kind=OriginKind.EARLIER,
                source=of.tool,
                selector=of.selector,
                field=of.path,
                whole=hit.whole,
                trusted=trusted,
                call=of.call,
                start=hit.start,
                end=hit.end,
            )
    return tuple(
        sorted(found.values(), key=lambda each: (not each.trusted, not each.whole))
    )
