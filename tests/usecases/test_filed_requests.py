"""Requests of persons: filed, verified anew, and what of them stands."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.evidence import signed_user_requests as room
from answerable.evidence.signed_statements import InvalidStatement
from answerable.model.errors import UsageError, VerificationError
from answerable.model.owner_signing_key import create_position_before_logging
from answerable.model.person_request import ANY_RUN, MAX_REQUEST_LIFETIME
from answerable.services.statements import key_enrolment, owner_keys
from answerable.services.statements.person_requests import (
    REQUEST,
    PersonRequestReader,
)
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import filed_requests
from answerable.usecases.evidence.filed_requests import RequestDraft
from tests.inventory.fact_builders import NOW
from tests.usecases.owned_store import (
    AGENT,
    ANA,
    BEN,
    HOUR,
    A,
    B,
    create_owned_store,
    signer,
)

WORDS = "Please pay DE89 3704 0044 0532 0130 00."
WISH = RequestDraft(AGENT, WORDS, (), "", HOUR)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_owned_store(tmp_path_factory.mktemp("requests") / "store")


@pytest.fixture
def store(made: Path) -> Iterator[EvidenceStore]:
    with EvidenceStore.open(made, now=NOW) as opened:
        yield opened


def stands(store: EvidenceStore, now: int) -> list[tuple[str, bool]]:
    held = PersonRequestReader(store).read(now).active
    return [(each.persons[0], each.is_owners) for each in held]


def test_what_a_person_files_stands_until_it_ends_and_names_no_words(
    store: EvidenceStore,
) -> None:
    before = len(stands(store, NOW))
    (item,) = filed_requests.file_request(store, WISH, A, now=NOW).items
    assert (item["state"], item["person"], item["run"]) == ("standing", ANA, None)
    assert item["values"] == ["DE89370400440532013000", "Please"]
    assert item["size"] == len(WORDS)
    filed_requests.file_request(store, WISH, B, now=NOW)
    assert stands(store, NOW)[before:] == [(ANA, True), (BEN, False)]
    assert len(stands(store, NOW + HOUR - 1)) == before + 2
    assert stands(store, NOW + HOUR) == []
    for each in store.list_objects(REQUEST):
        assert WORDS.encode() not in store.get_object(each.digest)
    states = {
        each["state"]
        for each in filed_requests.list_requests(store, now=NOW + HOUR).items
    }
    assert states == {"ended"}
    listed = filed_requests.list_requests(store, now=NOW, agent="agent:declared/none")
    count = len(filed_requests.list_requests(store, now=NOW).items)
    assert listed.items == []
    assert listed.searched == f"none of the {count} requests is for agent:declared/none"
    assert listed.next == "answerable requests file agent:declared/none --key KEY"


def test_where_nobody_filed_a_request_none_is_counted(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path / "bare", now=NOW) as bare:
        for agent in ("", AGENT):
            listed = filed_requests.list_requests(bare, now=NOW, agent=agent)
            assert (listed.items, listed.searched) == ([], "")


def test_a_request_is_at_most_a_day_long(store: EvidenceStore) -> None:
    wish = RequestDraft(AGENT, WORDS, (), "", 30 * MAX_REQUEST_LIFETIME)
    filed_requests.file_request(store, wish, A, now=NOW)
    assert stands(store, NOW + MAX_REQUEST_LIFETIME - 1)
    assert stands(store, NOW + MAX_REQUEST_LIFETIME) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pay my landlord", ()),
        ("", ()),
        ("", ("ab",)),
        (" ".join(f"A{n:04}," for n in range(300)), ()),
        ("use ghp_0123456789abcdefghij0123456789abcdef", ()),
    ],
)
def test_a_request_that_names_nothing_or_too_much_is_refused(
    text: str, named: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="names"):
        filed_requests.list_named_values(RequestDraft(AGENT, text, named, "", HOUR))


def test_what_looks_like_a_credential_is_left_out() -> None:
    token = "ghp_0123456789abcdefghij0123456789abcdef"
    wish = RequestDraft(AGENT, f"Use '{token}' for Alice", (token,), "", HOUR)
    assert "Alice" in filed_requests.list_named_values(wish)
    assert not any(token in each for each in filed_requests.list_named_values(wish))


def test_a_key_that_is_nobodys_files_nothing(store: EvidenceStore) -> None:
    count = len(store.list_objects(REQUEST))
    with pytest.raises(VerificationError, match="not enrolled"):
        filed_requests.file_request(store, WISH, signer("c"), now=NOW)
    assert len(store.list_objects(REQUEST)) == count


@pytest.mark.parametrize(
    ("persons", "key", "takes"),
    [
        ((ANA,), A, True),
        ((BEN,), A, False),
        ((ANA,), B, False),
        (("",), A, True),  # for nobody: its owner's
        (("",), B, False),
        ((), B, True),  # nothing is recorded of it yet
    ],
)
def test_a_request_for_the_run_of_another_person_is_refused(
    store: EvidenceStore,
    monkeypatch: pytest.MonkeyPatch,
    persons: tuple[str, ...],
    key: owner_keys.LocalSigner,
    takes: bool,
) -> None:
    monkeypatch.setattr(
        filed_requests, "find_persons_of_run", lambda store, agent, run: persons
    )
    wish = RequestDraft(AGENT, WORDS, (), "run:1", HOUR)
    count = len(store.list_objects(REQUEST))
    if takes:
        (item,) = filed_requests.file_request(store, wish, key, now=NOW).items
        assert item["run"] == "run:1"
    else:
        with pytest.raises(VerificationError, match="run:1"):
            filed_requests.file_request(store, wish, key, now=NOW)
    assert len(store.list_objects(REQUEST)) == count + takes


def test_a_request_of_a_revoked_key_stands_no_more_and_says_so(
    tmp_path: Path,
) -> None:
    with EvidenceStore.open(create_owned_store(tmp_path / "store"), now=NOW) as store:
        filed_requests.file_request(store, WISH, A, now=NOW)
        watched = PersonRequestReader(store)
        assert len(watched.read(NOW).active) == 1
        key_enrolment.revoke_owner_key(store, A.id, since=NOW, uid=1, now=NOW + 1)
        held = watched.read(NOW + 1)
        assert (held.active, len(held.rejected)) == ((), 1)
        (item,) = filed_requests.list_requests(store, now=NOW + 1).items
        assert (item["state"], item["person"]) == ("key-revoked", None)
        assert item["values"] == []


def test_statements_that_are_no_requests_are_void(store: EvidenceStore) -> None:
    (filed,) = filed_requests.file_request(store, WISH, A, now=NOW).items
    keys, here = owner_keys.read_owner_keys(store), owner_keys.get_store_id(store)
    said = room.UserRequest(AGENT, ANY_RUN, "0" * 64, 1, NOW + HOUR, ("x",))
    for changed, person in (
        ({"until": NOW}, ANA),
        ({"until": NOW + MAX_REQUEST_LIFETIME + 1}, ANA),
        ({"run": ""}, ANA),
        ({"agent": "person:x"}, ANA),
        ({}, BEN),
    ):
        filed_ = replace(said, **changed)
        statement = room.build_request_content(filed_, person).build_owner_statement(
            A.id, here, NOW
        )
        with pytest.raises(InvalidStatement):
            room.REQUEST_SHAPE.verify(
                A.sign(statement), keys, create_position_before_logging(NOW), here
            )
    statement = room.build_request_content(said, ANA).build_owner_statement(
        A.id, here, NOW
    )
    assert room.REQUEST_SHAPE.verify(
        A.sign(statement), keys, create_position_before_logging(NOW), here
    )
    assert filed["state"] == "standing"
