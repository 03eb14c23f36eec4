"""Rows of `tests/cases/postgres.yaml`: a dump, a question, the answer."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.connectors.postgres.parse import ServerName, parse
from answerable.model.ids import IdentityId
from answerable.model.postgres_ids import build_postgres_role_id
from answerable.reach.platform import Question, SubjectIdentity, UnknownSubject
from answerable.reach.postgres.call_parsing import (
    parse_object_argument,
    parse_privilege_or_owner_right,
)
from answerable.reach.postgres.object_action_evaluation import evaluate_object_action
from answerable.reach.postgres.platform import PostgresEvaluator
from answerable.reach.postgres.server_index import build_server_indexes

CASES = Path(__file__).resolve().parents[2] / "cases" / "postgres.yaml"
ROWS: list[dict[str, Any]] = yaml.load(
    CASES.read_text(encoding="utf-8"), yaml.CSafeLoader
)


def answer(row: dict[str, Any]) -> Any:
    """Answer the question of a row."""
    version = row.get("version", 15)
    head = (
        f"-- Dumped from database version {version}.1\n"
        f"-- Dumped by pg_dump version {version}.1\n"
    )
    text = (head + row["sql"]).encode()
    server = ServerName("h", "shop", "x")
    facts = parse([("shop.sql", text)], server, source="pg:x", now=1).facts
    servers = build_server_indexes(facts.catalogues)
    role, word, name = row["ask"]
    action = parse_privilege_or_owner_right(word)
    resource = parse_object_argument(servers, action, name)
    key = IdentityId(build_postgres_role_id("h", "shop", role))
    found = PostgresEvaluator(servers).resolve_identity(SubjectIdentity(key, key))
    identities = () if isinstance(found, UnknownSubject) else (found,)
    question = Question(
        now=1,
        subject=key,
        action=action,
        resource=str(resource),
        direct=row.get("direct", True),
        identities=identities,
    )
    return evaluate_object_action(servers.get("h"), question, resource)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["name"]))
def test_the_answer_is_the_documented_one(row: dict[str, Any]) -> None:
    got = answer(row)
    assert got.verdict == row["verdict"]
    if "assuming" in row:
        assert set(row["assuming"]) <= set(got.item["assuming"])


def test_every_row_cites_its_page_and_has_a_name_of_its_own() -> None:
    assert all(row["source"] for row in ROWS)
    assert len({row["name"] for row in ROWS}) == len(ROWS)
