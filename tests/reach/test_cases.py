"""The tables of facts, questions and answers, asked of the engine and of its twin."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypedDict, cast

import pytest

from answerable.model.documents.shared_shapes import PermissionCheckItem
from answerable.reach.aws import subject_queries
from answerable.reach.aws.compiled import external_callers
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.condition_formula import get_verdict
from answerable.usecases.reach import permissions as flow
from tests.reach import case_tables
from tests.reach.account_builder import A, AccountBuilder, catalogue, role, user
from tests.reach.case_tables import (
    EvaluationRow,
    Written,
    caller_of,
    case_of,
    filled,
    statements,
)
from tests.reach.laws import asking, estate_of, outsider, says_the_same, world_of
from tests.reach.pending_reference import PENDING
from tests.reference.reach import paths as spec_paths
from tests.reference.reach import request as spec
from tests.reference.reach.facts import Subject, World, find_identity

NOW = 1_764_000_000_000_000_000
SUBJECT = user("subject")


class Group(TypedDict, total=False):
    members: list[str]
    policy: Written


class Path(TypedDict, total=False):
    name: str
    source: str
    edge: str
    groups: dict[str, Group]
    identity: Written
    boundary: Written
    trust: Written
    target_policy: Written
    account: str
    tags: dict[str, str]
    context: dict[str, list[str]]
    ask: list[str]
    verdict: str
    direct: bool
    admin: bool
    open: list[str]
    via: list[str]
    to: list[str]


PATHS = cast("list[Path]", case_tables.rows("reach.yaml"))
ROWS = case_tables.rows("evaluation.yaml")


def facts_of(case: Path, words: Mapping[str, str]) -> AccountBuilder:
    build = AccountBuilder()
    build.identity(SUBJECT, tuple(case.get("tags", {}).items()))
    build.policy(SUBJECT, "identity", *statements(case["identity"], words))
    if "boundary" in case:
        build.policy(SUBJECT, "boundary", *statements(case["boundary"], words))
    for name, group in case.get("groups", {}).items():
        arn = words[name]
        members = [words[member] for member in group.get("members", [])]
        build.group(arn, *members)
        if "policy" in group:
            for target, via in ((arn, ""), *((one, arn) for one in members)):
                said = statements(group["policy"], words)
                build.policy(target, "identity", *said, policy=f"{arn}#p", via=via)
    if "trust" in case:
        target = build.identity(words["TARGET"])
        build.policy(target, "trust", *statements(case["trust"], words))
        policy = case.get("target_policy", [])
        build.policy(target, "identity", *statements(policy, words))
    return build


def words_of(case: Path) -> dict[str, str]:
    return {
        "SUBJECT": SUBJECT,
        "TARGET": role("target", case.get("account", A)),
        "GROUP": f"arn:aws:iam::{A}:group/team",
        "ADMINS": f"arn:aws:iam::{A}:group/admins",
    }


def answer(case: Path) -> PermissionCheckItem:
    words = words_of(case)
    action, resource = (str(filled(text, words)) for text in case["ask"])
    context = {key: tuple(values) for key, values in case.get("context", {}).items()}
    document = flow.check_permission(
        facts_of(case, words).inventory(),
        SUBJECT,
        action,
        resource,
        now=NOW,
        context=context,
        direct=case.get("direct", False),
    )
    return cast(PermissionCheckItem, document.items[0])


@pytest.mark.parametrize("case", PATHS, ids=lambda case: case["name"])
def test_in_the_table(case: Path) -> None:
    item = answer(case)
    assert item["verdict"] == case["verdict"]
    if "admin" in case:
        assert item["admin"] == case["admin"]
    if "open" in case:
        keys = {c["key"] for one in item["conditions"] for c in one["all_of"]}
        assert keys == set(case["open"])
    assert [hop["via"] for hop in item["path"]] == case.get("via", [])
    if "to" in case:
        assert [hop["to"] for hop in item["path"]] == case["to"]
    if item["verdict"] != "never":
        assert item["determining"]


def known(rows: list[Any]) -> list[Any]:
    """Leave out rows whose edge the reference does not know yet."""
    return [row for row in rows if row.get("edge", "") not in PENDING]


@pytest.mark.parametrize("case", known(PATHS), ids=lambda case: case["name"])
def test_the_readable_rules_say_what_the_table_says(case: Path) -> None:
    words = words_of(case)
    action, resource = (str(filled(text, words)) for text in case["ask"])
    given = {k.lower(): tuple(v) for k, v in case.get("context", {}).items()}
    world = World(facts_of(case, words).facts(), catalogue(), given)
    subject = find_identity(world, SUBJECT)
    assert subject is not None
    if case.get("direct"):
        held = partial(spec.is_allowed, world, Subject(subject), action, resource)
        assert spec.get_verdict(held) == case["verdict"]
    else:
        places = spec_paths.list_all_steps(world)
        found = spec_paths.evaluate_can(world, SUBJECT, action, resource, places)
        assert found == case["verdict"]


def asked(row: EvaluationRow) -> Evaluation:
    case = case_of(row)
    estate, caller = estate_of(case), caller_of(row)
    call = case.calls[0]
    if caller in estate.principals:
        return subject_queries.evaluate_action(estate, asking(estate, caller), *call)  # type: ignore[arg-type] - an identity's id
    outsider = external_callers.parse_caller(caller, estate.accounts)
    assert outsider is not None
    return subject_queries.evaluate_external_caller_action(estate, outsider, *call)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_of_policy_evaluation(row: EvaluationRow) -> None:
    said = asked(row)
    assert get_verdict(said.formula) == row["verdict"]
    if "open" in row:
        keys = {atom.key for alternative in said.formula for atom in alternative}
        assert keys == set(row["open"])
    if row["verdict"] != "never":
        assert said.determining


@pytest.mark.parametrize("row", known(ROWS), ids=lambda row: row["name"])
def test_of_policy_evaluation_by_the_readable_rules(row: EvaluationRow) -> None:
    case, caller = case_of(row), caller_of(row)
    world = world_of(case)
    who = find_identity(world, caller) or outsider(caller)
    held = partial(spec.is_allowed_for_caller, world, who, *case.calls[0])
    assert spec.get_verdict(held) == row["verdict"]
    says_the_same(asked(row).formula, held)


def test_each_row_of_policy_evaluation_names_its_page() -> None:
    assert len(ROWS) >= 90
    assert all(row["source"].count(",") >= 1 for row in ROWS)
    assert len({row["name"] for row in ROWS}) == len(ROWS)
