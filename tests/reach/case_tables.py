"""Rows of `tests/cases/*.yaml` as facts: policies as AWS writes them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import yaml

from answerable.model.policy import Policy, Statement
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    role,
    stated_policy,
    statement,
    user,
)
from tests.reach.strategies_cases import ReachCase
from tests.reach.strategies_organisation import FULL

Written = list[Mapping[str, object]]

_CASES = Path(__file__).resolve().parent.parent / "cases"
_NAMES = {
    "Effect": "effect",
    "Action": "action",
    "NotAction": "not_action",
    "Resource": "resource",
    "NotResource": "not_resource",
    "Principal": "principal",
    "NotPrincipal": "not_principal",
    "Condition": "condition",
}


class ResourceRow(TypedDict, total=False):
    """A resource of a row; without `policy` nobody asked for it."""

    account: str
    behind: str
    network: str
    policy: Written
    grants: Written


class AccountRow(TypedDict, total=False):
    """An account of a row."""

    parents: list[str]
    management: bool


class EvaluationRow(TypedDict, total=False):
    """A row of `evaluation.yaml`; its head says what the words mean."""

    name: str
    source: str
    edge: str
    caller: str
    account: str
    identity: Written
    boundary: Written
    trust: Written
    session: Written
    endpoint: Written
    accounts: dict[str, AccountRow]
    scp: dict[str, list[Written | str]]
    rcp: dict[str, list[Written | str]]
    resources: dict[str, ResourceRow]
    blocks: list[str]
    context: dict[str, list[str]]
    ask: list[str]
    verdict: str
    open: list[str]


def rows(name: str) -> list[EvaluationRow]:
    """Every row of a table."""
    found: list[EvaluationRow] = yaml.load(
        (_CASES / name).read_text("utf-8"), yaml.CSafeLoader
    )
    return found


def filled(value: object, words: Mapping[str, str]) -> object:
    """Put names in place of words such as `CALLER`."""
    if isinstance(value, str):
        return words.get(value, value)
    if isinstance(value, Mapping):
        return {key: filled(inner, words) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [filled(inner, words) for inner in value]
    return value


def statements(items: Written, words: Mapping[str, str]) -> list[Statement]:
    """Statements from a table."""
    return [
        statement(  # type: ignore[arg-type] - the table is typed by hand
            str(number), **{_NAMES[key]: filled(v, words) for key, v in one.items()}
        )
        for number, one in enumerate(items)
    ]


def caller_of(row: EvaluationRow) -> str:
    """The ARN of an identity, or the name of somebody outside."""
    account, who = row.get("account", A), row["caller"]
    return {
        "user": user("caller", account),
        "role": role("caller", account),
        "linked": role("aws-service-role/example.amazonaws.com/caller", account),
        "root": f"arn:aws:iam::{account}:root",
    }.get(who, who)


def case_of(row: EvaluationRow) -> ReachCase:
    """The facts and the question of a row."""
    caller = caller_of(row)
    inside = caller != row["caller"]
    session = f"arn:aws:sts::{row.get('account', A)}:assumed-role/caller/s"
    words = {"CALLER": caller, "SESSION": session}
    build = AccountBuilder()
    _organise(build, row, words)
    if inside:
        build.identity(caller)
        for layer in ("identity", "boundary", "trust"):
            if layer in row:
                build.policy(caller, layer, *statements(row[layer], words))  # type: ignore[literal-required] - of three keys
    for arn, thing in row.get("resources", {}).items():
        _place(build, arn, thing, words)
    for target in row.get("blocks", []):
        build.block(target)
    action, resource = (str(filled(text, words)) for text in row["ask"])
    return ReachCase(
        facts=build.facts(),
        given={k.lower(): tuple(v) for k, v in row.get("context", {}).items()},
        session=_given(row.get("session"), "session", words),
        endpoint=_given(row.get("endpoint"), "endpoint", words),
        tags_collected=False,
        outsiders=() if inside else (caller,),
        calls=((action, resource),),
    )


def _given(
    written: Written | None, name: str, words: Mapping[str, str]
) -> Policy | None:
    if written is None:
        return None
    return stated_policy(name, *statements(written, words))


def _organise(
    build: AccountBuilder, row: EvaluationRow, words: Mapping[str, str]
) -> None:
    for number, account in row.get("accounts", {}).items():
        path, manages = account.get("parents", []), account.get("management", False)
        build.organization(number, "o-1", path, management=manages)
    for layer, by_target in (("scp", row.get("scp")), ("rcp", row.get("rcp"))):
        for target, policies in (by_target or {}).items():
            for number, written in enumerate(policies):
                said = _control(written, words)
                name = f"p-{layer}-{target}-{number}"
                build.policy(target, layer, *said, policy=name)


def _control(written: Written | str, words: Mapping[str, str]) -> Iterable[Statement]:
    if isinstance(written, str):
        assert written == "FullAWSAccess"
        return [FULL]
    return statements(written, words)


def _place(
    build: AccountBuilder, arn: str, thing: ResourceRow, words: Mapping[str, str]
) -> None:
    service, account = arn.split(":")[2], arn.split(":")[4]
    build.resource(
        arn,
        "s3:accesspoint" if thing.get("behind") else f"{service}:resource",
        thing.get("account", account),
        behind=thing.get("behind", ""),
        network=thing.get("network", ""),
    )
    if "policy" in thing:
        build.policy(arn, "resource", *statements(thing["policy"], words))
    if "grants" in thing:
        said = statements(thing["grants"], words)
        build.policy(arn, "resource", *said, policy=f"{arn}#grants")
