"""The table of facts, questions and answers, asked of the engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, cast

import pytest
import yaml

from answerable.flows import reach as flow
from answerable.model.document import CanItem
from answerable.model.policy import Statement
from tests.reach.build import A, Builder, role, statement, user

NOW = 1_764_000_000_000_000_000
SUBJECT = user("subject")


class Case(TypedDict, total=False):
    name: str
    identity: list[Mapping[str, object]]
    boundary: list[Mapping[str, object]]
    trust: list[Mapping[str, object]]
    target_policy: list[Mapping[str, object]]
    account: str
    tags: dict[str, str]
    context: dict[str, list[str]]
    ask: list[str]
    verdict: str
    direct: bool
    admin: bool
    open: list[str]
    via: list[str]


_FILE = Path(__file__).resolve().parent.parent / "cases" / "reach.yaml"
CASES: list[Case] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))

_NAMES = {
    "Effect": "effect",
    "Action": "action",
    "NotAction": "not_action",
    "Resource": "resource",
    "NotResource": "not_resource",
    "Principal": "principal",
    "Condition": "condition",
}


def _filled(value: object, target: str) -> object:
    if isinstance(value, str):
        return {"SUBJECT": SUBJECT, "TARGET": target}.get(value, value)
    if isinstance(value, Mapping):
        return {key: _filled(inner, target) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [_filled(inner, target) for inner in value]
    return value


def _statements(items: list[Mapping[str, object]], target: str) -> list[Statement]:
    return [
        statement(  # type: ignore[arg-type] - the table is typed by hand
            str(number),
            **{_NAMES[key]: _filled(value, target) for key, value in item.items()},
        )
        for number, item in enumerate(items)
    ]


def answer(case: Case) -> CanItem:
    target = role("target", case.get("account", A))
    build = Builder()
    build.identity(SUBJECT, tuple(case.get("tags", {}).items()))
    build.policy(SUBJECT, "identity", *_statements(case["identity"], target))
    if "boundary" in case:
        build.policy(SUBJECT, "boundary", *_statements(case["boundary"], target))
    if "trust" in case:
        build.identity(target)
        build.policy(target, "trust", *_statements(case["trust"], target))
        policy = case.get("target_policy", [])
        build.policy(target, "identity", *_statements(policy, target))
    action, resource = (str(_filled(text, target)) for text in case["ask"])
    context = {key: tuple(values) for key, values in case.get("context", {}).items()}
    document = flow.can(
        build.inventory(),
        SUBJECT,
        action,
        resource,
        now=NOW,
        context=context,
        direct=case.get("direct", False),
    )
    return cast(CanItem, document.items[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_in_the_table(case: Case) -> None:
    item = answer(case)
    assert item["verdict"] == case["verdict"]
    if "admin" in case:
        assert item["admin"] == case["admin"]
    if "open" in case:
        keys = {c["key"] for one in item["conditions"] for c in one["all_of"]}
        assert keys == set(case["open"])
    assert [hop["via"] for hop in item["path"]] == case.get("via", [])
    if item["verdict"] != "never":
        assert item["determining"]
