"""Mistakes planted at the edges: a row of the tables finds each."""

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from answerable.model.sighting import Facts
from answerable.reach.estate import attached, callers, protected, services
from answerable.reach.estate.principals import Principal
from answerable.reach.rules.rules import EDITS, LAUNCHES
from answerable.reach.verdict.formula import TRUE, atom, verdict
from tests.reach import test_cases as table
from tests.reach.planted import planted

Plant = Callable[[pytest.MonkeyPatch], None]


def everywhere(patch: pytest.MonkeyPatch, right: object, wrong: object) -> None:
    """Plant wherever the engine took something by its name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("answerable.reach."):
            for key, value in list(vars(module).items()):
                if value is right:
                    patch.setattr(module, key, wrong)


def swap(right: object, wrong: object) -> Plant:
    return lambda patch: everywhere(patch, right, wrong)


def without_edit(action: str) -> Plant:
    return swap(EDITS, tuple(edit for edit in EDITS if edit.action != action))


def without_launch(*calls: str) -> Plant:
    kept = [
        rule
        for rule in LAUNCHES
        if [need.action for need in rule.needs] != [*calls] or rule.changes
    ]
    return swap(LAUNCHES, tuple(kept))


def without_protection(word: str) -> Plant:
    left = tuple(one for one in protected.PROTECTED if word not in one.resources)
    return lambda patch: patch.setattr(protected, "PROTECTED", left)


def owner_only_but(service: str) -> Plant:
    kept = frozenset(
        call for call in protected.OWNER_ONLY if not call.startswith(service)
    )
    return swap(protected.OWNER_ONLY, kept)


def no_members(patch: pytest.MonkeyPatch) -> None:
    right = attached.Builder.__init__

    def made(self: attached.Builder, facts: Facts) -> None:
        right(self, facts)
        self.member_of.clear()

    patch.setattr(attached.Builder, "__init__", made)


def nobody_escapes(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, callers.may_escape, lambda clause: False)


def everyone_escapes(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, callers.escape, lambda clause: TRUE)


def escape_stays_open(patch: pytest.MonkeyPatch) -> None:
    open_ = atom("answerable:wildcard-principal", "Escapes", ("*",))
    everywhere(patch, callers.escape, lambda clause: open_)


def session_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(callers, "SESSION_NAME", "sts:nothing")


def every_session_is_named(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(callers, "atom", lambda key, operator, values: TRUE)
    patch.setattr(callers, "SESSION_NAME", "sts:nothing")


def no_session_is_named(patch: pytest.MonkeyPatch) -> None:
    right = callers._named

    def named(*args: object, **more: object) -> callers.Names:
        found = right(*args, **more)  # type: ignore[arg-type]
        return [(how, when) for how, when in found if how != "escaping"]

    patch.setattr(callers, "_named", named)


def tokens_need_permission(patch: pytest.MonkeyPatch) -> None:
    left = frozenset(["sts:getcalleridentity"])
    everywhere(patch, services.NO_PERMISSION, left)


def sessions_get_tokens(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(services, "_LONG_TERM", frozenset())


def federated_users_get_tokens(patch: pytest.MonkeyPatch) -> None:
    def free(self: Principal, action: str) -> bool | None:
        return services.is_free(action, of_session=self.is_role)

    patch.setattr(Principal, "is_free", free)


def clusters_are_there(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, LAUNCHES, tuple(replace(rule, awaits="") for rule in LAUNCHES))


RUN = ("ecs:RegisterTaskDefinition", "ecs:RunTask")
PLANTED: list[tuple[str, str, Plant]] = [
    ("groups", "a policy on a group forgotten", without_edit("iam:PutGroupPolicy")),
    ("groups", "joining forgotten", without_edit("iam:AddUserToGroup")),
    ("groups", "members forgotten", no_members),
    ("wildcard-principal", "nobody escapes", nobody_escapes),
    ("wildcard-principal", "everyone escapes", everyone_escapes),
    ("wildcard-principal", "the key is not looked at", escape_stays_open),
    ("role-session-name", "not looked at", session_not_looked_at),
    ("role-session-name", "every session is named", every_session_is_named),
    ("role-session-name", "no session is named", no_session_is_named),
    ("get-session-token", "asked of policies", tokens_need_permission),
    ("get-session-token", "sessions may", sessions_get_tokens),
    ("get-session-token", "federated users may", federated_users_get_tokens),
    ("ecs-cluster", "clusters are there", clusters_are_there),
    ("ecs-cluster", "no own cluster", without_launch("ecs:CreateCluster", *RUN)),
    ("ecs-cluster", "no cluster of others", without_launch(*RUN)),
    ("protected", "AWS managed policies", without_protection(":aws:policy")),
    ("protected", "service-linked roles", without_protection("aws-service-role")),
    ("protected", "Identity Center", without_protection("aws-reserved")),
    ("owner-only", "keys", owner_only_but("kms")),
    ("owner-only", "buckets", owner_only_but("s3")),
    ("owner-only", "queues", owner_only_but("sqs")),
]


def is_found(edge: str) -> bool:
    """Tell whether a row of an edge is answered otherwise than the table says."""
    for row in table.ROWS:
        if row.get("edge") == edge:
            said = table.asked(row)
            keys = {one.key for alternative in said.formula for one in alternative}
            if verdict(said.formula) != row["verdict"] or keys != set(
                row.get("open", [])
            ):
                return True
    for case in table.PATHS:
        if case.get("edge") == edge:
            item = table.answer(case)
            via = [hop["via"] for hop in item["path"]]
            if item["verdict"] != case["verdict"] or via != case.get("via", []):
                return True
    return False


@pytest.mark.parametrize(
    ("edge", "plant"),
    [(edge, plant) for edge, _, plant in PLANTED],
    ids=[f"{edge}: {what}" for edge, what, _ in PLANTED],
)
def test_a_row_finds_a_planted_mistake(edge: str, plant: Plant) -> None:
    with planted(plant):
        assert is_found(edge)
    assert not is_found(edge)
