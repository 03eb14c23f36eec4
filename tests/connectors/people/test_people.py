"""Directory exports: people, leavers, managers and sponsors, in each form."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.people import fetch
from answerable.connectors.people.parse import parse
from answerable.model.connector import SyncContext
from answerable.model.errors import AnswerableError, ParseError, UsageError
from answerable.model.person import Person
from answerable.model.sighting import Sync

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BOSS, ANA, BO = (f"{name}@corp.example" for name in ("boss", "ana", "bo"))


def scim(key: str, address: str, **more: Any) -> dict[str, Any]:
    emails = [
        {"value": f"{key}@home.example", "type": "home"},
        {"value": address, "type": "work", "primary": True},
    ]
    return {"id": key, "userName": key, "emails": emails, "active": True, **more}


FORMS = {
    "scim": {
        "Resources": [
            scim("0", BOSS),
            scim("1", ANA, **{ENTERPRISE: {"manager": {"value": "0"}}}),
            scim("2", BO, active=False, **{ENTERPRISE: {"manager": {"value": "0"}}}),
        ]
    },
    "okta": [
        {"id": "0", "status": "ACTIVE", "profile": {"login": BOSS, "email": BOSS}},
        {
            "id": "1",
            "status": "LOCKED_OUT",
            "profile": {
                "login": ANA,
                "secondEmail": "1@home.example",
                "managerId": "0",
            },
        },
        {
            "id": "2",
            "status": "DEPROVISIONED",
            "profile": {"login": BO, "managerId": BOSS},
        },
    ],
    "graph": {
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users",
        "value": [
            {"id": "0", "userPrincipalName": BOSS, "accountEnabled": True},
            {
                "id": "1",
                "userPrincipalName": "ana@corp.onmicrosoft.example",
                "mail": ANA,
                "otherMails": ["1@home.example"],
                "accountEnabled": True,
                "manager": {"id": "0"},
            },
            {
                "id": "2",
                "userPrincipalName": BO,
                "proxyAddresses": ["SMTP:bo@corp.example", "X500:/o=x"],
                "accountEnabled": False,
                "manager": {"id": "0", "mail": BOSS},
            },
        ],
    },
    "google": {
        "users": [
            {"primaryEmail": BOSS, "suspended": False},
            {
                "primaryEmail": ANA,
                "suspended": False,
                "emails": [{"address": "1@home.example"}],
                "relations": [{"type": "manager", "value": BOSS}],
            },
            {
                "primaryEmail": BO,
                "suspended": False,
                "archived": True,
                "relations": [{"type": "manager", "value": BOSS}],
            },
        ]
    },
    "csv": (
        "Email Address [Required],First Name,Status [READ ONLY],Manager Email\n"
        f"{BOSS},The,Active,\n{ANA},Ana,Active,{BOSS}\n{BO},Bo,Suspended,{BOSS}\n"
    ),
    "semicolons": f"mail;accountEnabled;manager\n{BOSS};True;\n{ANA};True;{BOSS}\n"
    f"{BO};False;{BOSS}\n",
    "gam": f"primaryEmail,suspended,archived,manager\n{BOSS},False,False,\n"
    f"{ANA},False,False,{BOSS}\n{BO},True,False,{BOSS}\n",
}


@pytest.fixture
def context() -> SyncContext:
    return SyncContext(1, lambda value: "0" * 24)


def read(tmp_path: Path, context: SyncContext, content: object) -> Sync:
    path = tmp_path / "people"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return fetch.sync(str(path), context)


def find_person(sync: Sync, address: str) -> Person:
    return next(p for p in sync.facts.persons if p.id == f"person:{address}")


@pytest.mark.parametrize("form", FORMS)
def test_each_form_tells_leavers_and_managers(
    form: str, tmp_path: Path, context: SyncContext
) -> None:
    sync = read(tmp_path, context, FORMS[form])
    assert sync.problems == ()
    assert set(sync.collected) == {"people", "leavers", "managers"}
    assert {p.id: (p.alive, p.manager) for p in sync.facts.persons} == {
        f"person:{BOSS}": (True, ""),
        f"person:{ANA}": (True, f"person:{BOSS}"),
        f"person:{BO}": (False, f"person:{BOSS}"),
    }


@pytest.mark.parametrize("form", FORMS)
def test_an_address_that_a_user_can_change_is_no_alias(
    form: str, tmp_path: Path, context: SyncContext
) -> None:
    sync = read(tmp_path, context, FORMS[form])
    said = {alias for person in sync.facts.persons for alias in person.aliases}
    assert not {alias for alias in said if alias.endswith("home.example")}


def test_a_guest_has_sponsors(tmp_path: Path, context: SyncContext) -> None:
    guest = {
        "id": "9",
        "userPrincipalName": "gil_x#EXT#@corp.example",
        "mail": "gil@x.example",
        "sponsors": [{"id": "0"}, {"mail": ANA}],
    }
    boss = {"id": "0", "userPrincipalName": BOSS}
    sync = read(tmp_path, context, {"value": [boss, guest]})
    found = find_person(sync, "gil@x.example")
    assert found.sponsors == (f"person:{BOSS}", f"person:{ANA}")


@pytest.mark.parametrize(
    "content",
    [
        {"value": [{"userPrincipalName": BOSS}]},
        [{"status": "A NEW STATUS", "profile": {"login": BOSS}}],
        {"users": [{"primaryEmail": BOSS}]},
        {"Resources": [{"userName": BOSS, "active": "true"}]},
        f"email,status\n{BOSS},on leave\n",
        f"email\n{BOSS}\n",
    ],
)
def test_a_presence_that_was_not_exported_is_not_collected(
    content: object, tmp_path: Path, context: SyncContext
) -> None:
    sync = read(tmp_path, context, content)
    assert find_person(sync, BOSS).alive
    assert "leavers" in sync.not_collected
    assert sync.collected == ("people",)


def test_a_manager_outside_of_the_export_is_not_collected(
    tmp_path: Path, context: SyncContext
) -> None:
    user = scim("1", ANA, **{ENTERPRISE: {"manager": {"value": "77"}}})
    sync = read(tmp_path, context, [user])
    assert find_person(sync, ANA).manager == ""
    assert "managers" in sync.not_collected


@pytest.mark.parametrize(
    ("content", "unread"),
    [
        ({"value": [{"userPrincipalName": BOSS}, {"displayName": "a group"}]}, 1),
        ({"value": [{"userPrincipalName": BOSS}, 7]}, 1),
        ([{"userName": BOSS}, {"userName": "\x07"}, {"userName": ""}], 2),
        (f"email,name\n{BOSS},The,more\n{ANA},Ana\n", 1),
        ({"value": "text"}, 1),
    ],
)
def test_an_entry_that_cannot_be_read_is_named(
    content: object, unread: int, tmp_path: Path, context: SyncContext
) -> None:
    sync = read(tmp_path, context, content)
    assert len(sync.problems) == unread
    assert "people" in sync.not_collected


def test_many_unread_entries_are_counted(tmp_path: Path, context: SyncContext) -> None:
    sync = read(tmp_path, context, {"value": [{"userPrincipalName": BOSS}, *[7] * 500]})
    assert len(sync.problems) == 101
    assert sync.problems[-1].what == "400 more entries: not an object"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", UsageError),
        (b"\x89PNG\r\n\x1a\n\xff\0", ParseError),
        (b'{"value": [', ParseError),
        (b"name,team\nAna,x\n", UsageError),
        (b"email\n", UsageError),
        (b'{"value": []}', UsageError),
    ],
)
def test_a_file_of_another_kind_is_refused(
    content: bytes, error: type[AnswerableError], tmp_path: Path, context: SyncContext
) -> None:
    with pytest.raises(error, match="people") as caught:
        read(tmp_path, context, content)
    assert "AWS" not in caught.value.hint


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_people_or_one_error(data: bytes) -> None:
    for form in (data, b"[" + data + b"]", b"email,status\n" + data):
        try:
            facts, problems, _ = parse(form, "x", source="people:x", now=1)
        except AnswerableError:
            continue
        assert facts.persons or problems


def test_a_table_that_ends_within_a_quote_was_cut(
    tmp_path: Path, context: SyncContext
) -> None:
    sync = read(tmp_path, context, f'email,status\n{BOSS},Active\n"{ANA}')
    assert [each.id for each in sync.facts.persons] == [f"person:{BOSS}"]
    assert sync.problems[0].what == "the rest of the table is not valid CSV"


def test_a_last_row_without_all_cells_was_cut(
    tmp_path: Path, context: SyncContext
) -> None:
    sync = read(tmp_path, context, f"email,status\n{BOSS},Active\nana@corp.ex")
    assert [each.id for each in sync.facts.persons] == [f"person:{BOSS}"]
    assert "cut" in sync.problems[0].what
    whole = read(tmp_path, context, f"email,status\n{BOSS}\n")
    assert [each.id for each in whole.facts.persons] == [f"person:{BOSS}"]
