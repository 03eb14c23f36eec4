"""Break-glass on the page: two persons sign it, each in their browser."""

import pytest

from answerable.model.decision import DecisionReason
from answerable.model.errors import UsageError, VerificationError
from answerable.usecases.authorization import list_approval_requests
from answerable.web.routing import Forbidden
from answerable.web.store_cache import StoreCache
from tests.usecases.owned_store import AGENT, ANA, BEN, OTHER, B
from tests.web.conftest import answer, shown
from tests.web.signing.owner_store import (
    ADMIN,
    INVESTIGATOR,
    OWNER,
    owner,
    record_held_call,
)
from tests.web.signing.test_signing import _amendment, signed

BEN_TOO = owner(BEN, OTHER)


def begun(desk: StoreCache) -> tuple[str, str]:
    """Ana signs the first half; give the decision and the id of what waits."""
    decision = record_held_call(desk, reason=DecisionReason.FORBIDDEN)
    said = {"act": "break-glass", "id": decision, "for": "1h", "code": "INC-7"}
    page = shown(desk, OWNER, "/sign", **said)
    for told in (AGENT, "read_file", "INC-7", "another person", "break-glass start"):
        assert told in page
    signed(desk, **said)
    with desk.open_store() as store:
        return decision, _amendment(store)


def standing(desk: StoreCache, name: str) -> str:
    with desk.open_store() as store:
        items = list_approval_requests.list_policy_exceptions(store, now=desk.now).items
    return str(next(each["state"] for each in items if each["id"] == name))


def test_two_persons_break_the_glass_each_in_their_browser(desk: StoreCache) -> None:
    _, name = begun(desk)
    assert standing(desk, name) == "open"
    assert f"act=confirm&amp;id={name}" in shown(desk, OWNER, "/asks")
    with pytest.raises(VerificationError, match="expected another person"):
        signed(desk, act="confirm", id=name)
    assert standing(desk, name) == "open"
    signed(desk, BEN_TOO, B, act="confirm", id=name)
    assert standing(desk, name) == "standing"
    with pytest.raises(Forbidden):  # nobody is waited for any more
        answer(desk, BEN_TOO, "/sign", act="confirm", id=name)


def test_only_who_answers_for_something_breaks_a_glass(desk: StoreCache) -> None:
    decision, name = begun(desk)
    for visit in (owner(ANA), owner(BEN), INVESTIGATOR, ADMIN, BEN_TOO):
        with pytest.raises(Forbidden):
            answer(desk, visit, "/sign", act="break-glass", id=decision)
    for visit in (owner(BEN), INVESTIGATOR, ADMIN):
        with pytest.raises(Forbidden):
            answer(desk, visit, "/sign", act="confirm", id=name)
    for wrong in ("", name[:16], name[:-1], "0" * 64, "../" + name):
        with pytest.raises(Forbidden):
            answer(desk, BEN_TOO, "/sign", act="confirm", id=wrong)
        with pytest.raises(Forbidden):
            answer(desk, OWNER, "/sign", act="break-glass", id=wrong)


def test_what_an_owner_lifts_alone_needs_no_second_and_words_are_words(
    desk: StoreCache,
) -> None:
    alone = record_held_call(desk)
    with pytest.raises(UsageError, match="break-glass cannot override"):
        answer(desk, OWNER, "/sign", act="break-glass", id=alone)
    assert "Break the glass" not in shown(desk, OWNER, "/decision", id=alone)


def test_a_break_glass_takes_a_word_and_a_short_while(desk: StoreCache) -> None:
    decision = record_held_call(desk, reason=DecisionReason.FORBIDDEN)
    page = shown(desk, OWNER, "/decision", id=decision)
    assert "Break the glass" in page
    for wrong in ({"code": "my owner said so"}, {"for": "always"}, {"for": "30d"}):
        with pytest.raises(UsageError):
            answer(desk, OWNER, "/sign", act="break-glass", id=decision, **wrong)
