"""Pages about decisions and signatures, without script, answer the same as the API."""

from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.usecases.owned_store import AGENT
from tests.web.conftest import answer, shown
from tests.web.signing.owner_store import OWNER, record_held_call
from tests.web.signing.test_baselines import kept, profile
from tests.web.signing.test_signing import signed
from tests.web.test_pages_and_api import ask, list_missing, read

SEES_ALL = Visitor(
    OWNER.person,
    frozenset({WebRole.ADMIN, WebRole.OWNER, WebRole.INVESTIGATOR}),
    OWNER.owns,
    "c",
    fresh=True,
    by="corp",
)
SAME = (
    ("/asks", "/asks", ("agent", "name", "server", "state")),
    ("/asks", "/amendments", ("agent", "name", "state", "persons")),
    ("/baselines", "/baselines", ("agent", "digest", "stage")),
    ("/decisions", "/decisions", ("id", "agent", "effect", "layer")),
    ("/keys", "/owner-keys", ("id", "person", "state")),
    ("/kills", "/kills", ("subject",)),
)


def test_pages_of_decisions_have_each_answer_of_the_api(desk: StoreCache) -> None:
    decision = record_held_call(desk)
    signed(desk, act="allow", id=decision, **{"for": "8h"})
    digest = kept(desk, profile())
    signed(desk, act="hold", id=digest, stage="shadow", **{"for": "30d"})
    answer(desk, SEES_ALL, "/kill", "POST", subject=AGENT, reason="a test")
    for path, operation, fields in SAME:
        items = ask(desk, operation, {}, SEES_ALL)
        assert (
            list_missing(items, fields, read(shown(desk, SEES_ALL, path))) == set()
        ), path
    for path, asked in (("/ask", decision), ("/decision", decision)):
        items = ask(desk, path, {"id": asked}, SEES_ALL)
        text = read(shown(desk, SEES_ALL, path, id=asked))
        assert list_missing(items, ("agent", "server", "name"), text) == set(), path
