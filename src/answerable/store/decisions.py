"""SQL of decisions: the view `decisions`, a row per decision that a gateway recorded."""

from typing import TYPE_CHECKING

from answerable.store.columns import fact
from answerable.store.views import Shown

if TYPE_CHECKING:
    from answerable.store.store import Store

# Facts of a decision, as its connector names them.
_FACTS = ("effect", "mode", "reason", "rules", "policy", "durability", "shown", "ended")


def shown(store: "Store") -> Shown:
    """Give the view `decisions`."""
    del store  # everything stands in the events
    facts = ", ".join(f"{fact(name, 'NULL')} AS {name}" for name in _FACTS)
    view = (
        "SELECT e.decision_id, make_timestamp_ns(e.event_time) AS event_time, "  # noqa: S608 - ours
        "nullif(e.person, '') AS person, e.agent, e.run, e.tool, e.action, e.resource, "
        f"e.outcome, {facts}, e.recorder, e.sequence "
        "FROM events_raw e WHERE e.decision_id <> ''"
    )
    return Shown({}, {"decisions": view})
