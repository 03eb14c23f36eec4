"""Alternative of an investigation filter, with what its queries share."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from answerable.store.chain_tables import JointInterval, build_chain_interval_table
from answerable.store.event_queries import build_implied_bounds_sql, list_key_values
from answerable.store.query_tables import NamedTable


@dataclass(frozen=True)
class EventAlternative:
    """Alternative of an investigation filter.

    Attributes:
        keys: Joints and intervals, of which one must match; None for all.
        words: Patterns with `*` and `?`; action or resources must contain each.
        about: Identity that the event must have created, deleted, issued a credential
            for or accessed; empty for none.
    """

    keys: Sequence[JointInterval] | None = None
    words: Sequence[str] = ()
    about: str = ""

    @cached_property
    def key_table(self) -> NamedTable:
        """Build the table of the keys; several queries of a search use it."""
        return build_chain_interval_table(self.keys or ())

    @cached_property
    def key_values(self) -> Mapping[str, Collection[str]]:
        """List the values of the keys by column; none if all events match."""
        return {} if self.keys is None else list_key_values(self.keys)

    @cached_property
    def key_bounds(self) -> tuple[list[str], list[object]]:
        """Build the comparisons that the keys imply."""
        return build_implied_bounds_sql(self.keys or ())
