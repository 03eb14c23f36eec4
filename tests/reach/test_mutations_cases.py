"""Mistakes planted at the edges: a row of the tables finds each."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from answerable.model.policy import ConditionClause
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled import (
    attachments,
    aws_protected_objects,
    external_callers,
    principal_matching,
    saml_providers,
    service_facts,
    trust_index,
)
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.escalation_rules.registry import (
    EDIT_RULES,
    PASS_ROLE_RULES,
    TAKEOVER_RULES,
)
from answerable.reach.aws.evaluation import conditions, date_conditions
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.paths import identity_creation, path_search, witness_resources
from answerable.reach.condition_formula import TRUE, build_atom, get_verdict
from tests.reach import test_cases as table
from tests.reach.mutation import apply_mutation

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
    return swap(EDIT_RULES, tuple(edit for edit in EDIT_RULES if edit.action != action))


def without_launch(*calls: str) -> Plant:
    kept = [
        rule
        for rule in PASS_ROLE_RULES
        if [need.action for need in rule.needs] != [*calls]
        or rule.changed_resource_kind
    ]
    return swap(PASS_ROLE_RULES, tuple(kept))


def without_protection(word: str) -> Plant:
    left = tuple(
        one
        for one in aws_protected_objects.PROTECTED_OBJECTS
        if word not in one.resources
    )
    return lambda patch: patch.setattr(aws_protected_objects, "PROTECTED_OBJECTS", left)


def owner_only_but(service: str) -> Plant:
    kept = frozenset(
        call
        for call in aws_protected_objects.OWNER_ACCOUNT_ACTIONS
        if not call.startswith(service)
    )
    return swap(aws_protected_objects.OWNER_ACCOUNT_ACTIONS, kept)


def no_members(patch: pytest.MonkeyPatch) -> None:
    right = attachments.AttachmentCompiler.__init__

    def made(
        self: attachments.AttachmentCompiler, facts: SightedFacts, *more: Any
    ) -> None:
        right(self, facts, *more)
        self.member_of.clear()

    patch.setattr(attachments.AttachmentCompiler, "__init__", made)


def nobody_escapes(patch: pytest.MonkeyPatch) -> None:
    everywhere(
        patch, principal_matching.can_grant_bypass_boundary, lambda clause: False
    )


def everyone_escapes(patch: pytest.MonkeyPatch) -> None:
    everywhere(
        patch, principal_matching.build_boundary_bypass_condition, lambda clause: TRUE
    )


def escape_stays_open(patch: pytest.MonkeyPatch) -> None:
    open_ = build_atom("answerable:wildcard-principal", "Escapes", ("*",))
    everywhere(
        patch, principal_matching.build_boundary_bypass_condition, lambda clause: open_
    )


def session_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(principal_matching, "SESSION_NAME", "sts:nothing")


def session_of_outsiders_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(external_callers, "SESSION_NAME", "sts:nothing")


def every_session_is_named(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(principal_matching, "build_atom", lambda key, operator, values: TRUE)
    patch.setattr(principal_matching, "SESSION_NAME", "sts:nothing")


def no_session_is_named(patch: pytest.MonkeyPatch) -> None:
    right = principal_matching._match_principal_element

    def named(*args: object, **more: object) -> principal_matching.NamingFormulas:
        found = right(*args, **more)  # type: ignore[arg-type]
        return [(how, when) for how, when in found if how != "escaping"]

    patch.setattr(principal_matching, "_match_principal_element", named)


def tokens_need_permission(patch: pytest.MonkeyPatch) -> None:
    left = frozenset(["sts:getcalleridentity"])
    everywhere(patch, service_facts.NO_PERMISSION_ACTIONS, left)


def sessions_get_tokens(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(service_facts, "_LONG_TERM_ONLY_ACTIONS", frozenset())


def federated_users_get_tokens(patch: pytest.MonkeyPatch) -> None:
    def free(self: CompiledPrincipal, action: str) -> bool | None:
        return service_facts.needs_no_permission(action, in_session=self.is_role)

    patch.setattr(CompiledPrincipal, "needs_no_permission", free)


def clusters_are_there(patch: pytest.MonkeyPatch) -> None:
    everywhere(
        patch,
        PASS_ROLE_RULES,
        tuple(replace(rule, precondition="") for rule in PASS_ROLE_RULES),
    )


def dates_stay_open(patch: pytest.MonkeyPatch) -> None:
    everywhere(
        patch, date_conditions.decide_date_condition, lambda clause, seen_at: clause
    )


def sessions_end_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(date_conditions, "_MAX_SESSION_SECONDS", 0)


def every_request_has_a_token(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(date_conditions, "_TOKEN_TIME", "aws:nothing")
    patch.setattr(
        date_conditions,
        "_REQUEST_TIME",
        (*date_conditions._REQUEST_TIME, "aws:tokenissuetime"),
    )


def times_are_reversed(patch: pytest.MonkeyPatch) -> None:
    right = date_conditions._compare_with_later_times

    def test(order: str, *more: object) -> bool | None:
        found = right(order, *more)  # type: ignore[arg-type]
        return None if found is None else not found

    patch.setattr(date_conditions, "_compare_with_later_times", test)


def a_stated_time_is_ignored(patch: pytest.MonkeyPatch) -> None:
    right = conditions.evaluate_condition_line

    def holds(clause: ConditionClause, known: ContextKeys) -> bool | None:
        decided = isinstance(clause, conditions.DecidedCondition)
        return clause.holds if decided else right(clause, known)

    everywhere(patch, conditions.evaluate_condition_line, holds)


def a_new_name_is_any(patch: pytest.MonkeyPatch) -> None:
    everywhere(
        patch, path_search._get_printed_target_of_step, lambda edge: edge.to.identity
    )


def a_new_name_is_the_usual_one(patch: pytest.MonkeyPatch) -> None:
    right = witness_resources.list_witness_candidates
    everywhere(patch, right, lambda *args: right(*args)[:1])


def a_taken_name_is_new(patch: pytest.MonkeyPatch) -> None:
    right = identity_creation.find_best_new_resource_name

    def at_one_name(estate: CompiledAccounts, *more: object) -> object:
        return right(replace(estate, principals={}), *more)  # type: ignore[arg-type]

    everywhere(patch, right, at_one_name)


def cognito_is_a_service(patch: pytest.MonkeyPatch) -> None:
    everywhere(patch, trust_index.get_service_principal_kind, lambda service: "Service")


def without_running(kind: str) -> Plant:
    return swap(
        TAKEOVER_RULES, tuple(rule for rule in TAKEOVER_RULES if rule.kind != kind)
    )


def every_call_takes_saml(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        saml_providers, "ASSUME_ROLE_WITH_SAML", "sts:assumerolewithwebidentity"
    )


def every_provider_is_one(patch: pytest.MonkeyPatch) -> None:
    right = saml_providers.get_takeover_resource_arn
    everywhere(patch, right, lambda text: right(text) + "-2")


def nothing_is_asserted(patch: pytest.MonkeyPatch) -> None:
    rules = (
        replace(rule, precondition="") if rule.kind == "iam:saml-provider" else rule
        for rule in TAKEOVER_RULES
    )
    everywhere(patch, TAKEOVER_RULES, tuple(rules))


POOLS = ("cognito-identity:CreateIdentityPool", "cognito-identity:SetIdentityPoolRoles")
RUN = ("ecs:RegisterTaskDefinition", "ecs:RunTask")
PLANTED: list[tuple[str, str, Plant]] = [
    ("groups", "a policy on a group forgotten", without_edit("iam:PutGroupPolicy")),
    ("groups", "joining forgotten", without_edit("iam:AddUserToGroup")),
    ("groups", "members forgotten", no_members),
    ("wildcard-principal", "nobody escapes", nobody_escapes),
    ("wildcard-principal", "everyone escapes", everyone_escapes),
    ("wildcard-principal", "the key is not looked at", escape_stays_open),
    ("role-session-name", "not looked at", session_not_looked_at),
    ("role-session-name", "not of outsiders", session_of_outsiders_not_looked_at),
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
    ("identity-pools", "no new pool", without_launch(*POOLS)),
    ("identity-pools", "Cognito is a service", cognito_is_a_service),
    ("identity-pools", "pools are there", clusters_are_there),
    ("saml-providers", "no rule", without_running("iam:saml-provider")),
    ("saml-providers", "another call", every_call_takes_saml),
    ("saml-providers", "another provider", every_provider_is_one),
    ("saml-providers", "nothing is asserted", nothing_is_asserted),
    ("new-name", "any name", a_new_name_is_any),
    ("new-name", "the usual name", a_new_name_is_the_usual_one),
    ("new-name", "a taken name", a_taken_name_is_new),
    ("elapsed", "dates stay open", dates_stay_open),
    ("elapsed", "sessions end at once", sessions_end_at_once),
    ("elapsed", "every request has a token", every_request_has_a_token),
    ("elapsed", "times are reversed", times_are_reversed),
    ("elapsed", "a stated time is ignored", a_stated_time_is_ignored),
]


def is_found(edge: str) -> bool:
    """Return whether a row of an edge is answered otherwise than the table says."""
    for row in table.ROWS:
        if row.get("edge") == edge:
            said = table.asked(row)
            keys = {one.key for alternative in said.formula for one in alternative}
            if get_verdict(said.formula) != row["verdict"] or keys != set(
                row.get("open", [])
            ):
                return True
    for case in table.PATHS:
        if case.get("edge") == edge:
            item = table.answer(case)
            via = [hop["via"] for hop in item["path"]]
            if item["verdict"] != case["verdict"] or via != case.get("via", []):
                return True
            if "to" in case and [hop["to"] for hop in item["path"]] != case["to"]:
                return True
    return False


@pytest.mark.parametrize(
    ("edge", "plant"),
    [(edge, plant) for edge, _, plant in PLANTED],
    ids=[f"{edge}: {what}" for edge, what, _ in PLANTED],
)
def test_a_row_finds_a_planted_mistake(edge: str, plant: Plant) -> None:
    # First without it: what the engine imports late must not keep the mistake.
    assert not is_found(edge)
    with apply_mutation(plant):
        assert is_found(edge)
