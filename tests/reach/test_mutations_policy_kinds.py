"""Mistakes with policy kinds beyond the caller's own: each is found by the law."""

from dataclasses import replace

import pytest

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled import (
    account_compiler,
    accounts,
    external_callers,
    policy_compiler,
    principal_matching,
    s3_public_access,
)
from answerable.reach.aws.compiled.external_callers import ExternalCaller
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation import (
    evaluate_external,
    evaluate_principal,
    policy_layers,
    resource_policies,
)
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.evaluation.request import AwsRequest, ResourcePolicyResult
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.condition_formula import FALSE, TRUE, Formula
from tests.reach import laws
from tests.reach.account_builder import role
from tests.reach.mutation import Plant, is_caught
from tests.reach.organization_mistakes import (
    linked_roles_bound,
    management_bound,
    rcp_for_insiders_only,
    rcp_of_every_service,
    rcp_of_the_caller,
    rcp_skipped,
    scp_level_missing_as_full,
    scp_level_skipped,
    scp_levels_united,
    scp_of_the_account_skipped,
    scp_skipped,
)
from tests.reach.strategies_cases import cases
from tests.reach.strategies_mix import EVEN, Mix
from tests.reach.strategies_organisation import USERS

_stated = policy_compiler.compile_stated_policy
_side_of = resource_policies.evaluate_resource_policy_for_principal
_said = resource_policies.evaluate_resource_policy_for_caller
_is_required = resource_policies.requires_resource_policy
_missing_side = evaluate_principal.build_uncollected_policy_result
_under = CompiledPrincipal.with_session_policy


def _sides_changed(patch: pytest.MonkeyPatch, **change: Formula) -> None:
    def said(own: object, *rest: object, **more: object) -> ResourcePolicyResult:
        side = _said(own, *rest, **more)  # type: ignore[arg-type] - passed through
        return replace(side, **change) if isinstance(own, ResourcePolicy) else side  # type: ignore[arg-type] - formulas only

    for module in (resource_policies, evaluate_external):
        patch.setattr(module, "evaluate_resource_policy_for_caller", said)


def _resource_deny_dropped(patch: pytest.MonkeyPatch) -> None:
    _sides_changed(patch, denied=FALSE)


def _resource_policy_ignored(patch: pytest.MonkeyPatch) -> None:
    _sides_changed(patch, escaping=FALSE, direct=FALSE, account=FALSE)


def _account_suffices(patch: pytest.MonkeyPatch) -> None:
    def said(own: object, *rest: object, **more: object) -> ResourcePolicyResult:
        side = _said(own, *rest, **more)  # type: ignore[arg-type] - passed through
        return replace(side, direct=policy_layers.disjoin(side.direct, side.account))

    patch.setattr(resource_policies, "evaluate_resource_policy_for_caller", said)


def _key_policy_not_needed(patch: pytest.MonkeyPatch) -> None:
    def is_required(call: AwsRequest) -> bool:
        return not call.action.startswith("kms:") and _is_required(call)

    for module in (resource_policies, evaluate_principal):
        patch.setattr(module, "requires_resource_policy", is_required)


def _uncollected_as_none(patch: pytest.MonkeyPatch) -> None:
    def missing_side(call: AwsRequest, *, same_account: bool) -> ResourcePolicyResult:
        return replace(_missing_side(call, same_account=same_account), direct=FALSE)

    for module in (evaluate_principal, evaluate_external):
        patch.setattr(module, "build_uncollected_policy_result", missing_side)


def _uncollected_as_open_door(patch: pytest.MonkeyPatch) -> None:
    def missing_side(call: AwsRequest, *, same_account: bool) -> ResourcePolicyResult:
        return replace(_missing_side(call, same_account=same_account), direct=TRUE)

    for module in (evaluate_principal, evaluate_external):
        patch.setattr(module, "build_uncollected_policy_result", missing_side)


def _session_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CompiledPrincipal, "with_session_policy", lambda self, session: self)


def _session_denies_ignored(patch: pytest.MonkeyPatch) -> None:
    def under(self: CompiledPrincipal, session: LimitingLayer) -> CompiledPrincipal:
        allows = tuple(g for g in session.grants if g.clause.effect.value == "allow")
        return _under(
            self, LimitingLayer(session.layer, session.target, allows, session.gaps)
        )

    patch.setattr(CompiledPrincipal, "with_session_policy", under)


def _federated_user_escapes(patch: pytest.MonkeyPatch) -> None:
    names = principal_matching.match_principal

    def as_user(
        clause: CompiledStatement,
        who: CompiledPrincipal,
        known: ContextKeys,
        *,
        starts_session: bool = False,
    ) -> principal_matching.NamingFormulas:
        return names(
            clause, replace(who, session=None), known, starts_session=starts_session
        )

    patch.setattr(resource_policies, "match_principal", as_user)
    patch.setattr(evaluate_principal, "match_principal", as_user)


def _endpoint_ignored(patch: pytest.MonkeyPatch) -> None:
    def stated(
        builder: object, policy: object, layer: PolicyLayer
    ) -> LimitingLayer | None:
        return (
            None if layer is PolicyLayer.ENDPOINT else _stated(builder, policy, layer)
        )  # type: ignore[arg-type] - passed through

    patch.setattr(account_compiler, "compile_stated_policy", stated)


def _endpoint_names_everybody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_layers, "match_principal", lambda *_: [("direct", TRUE)])


def _door_without_bucket(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        evaluate_principal,
        "combine_s3_access_point_and_bucket",
        lambda front, back, network: front,
    )


def _bucket_without_door(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        evaluate_principal,
        "combine_s3_access_point_and_bucket",
        lambda front, back, network: back,
    )


def _unknown_bucket_as_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        evaluate_principal, "build_unknown_bucket_condition", lambda door: TRUE
    )


def _network_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate_principal, "build_vpc_origin_condition", lambda *_: TRUE)


def _door_keys_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        evaluate_principal, "build_access_point_condition_keys", lambda door: {}
    )


def _block_ignored(patch: pytest.MonkeyPatch) -> None:
    for module in (s3_public_access, evaluate_external):
        patch.setattr(
            module, "apply_public_access_block", lambda estate, own, call, side: side
        )


def _block_of_the_account_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        s3_public_access,
        "_list_public_access_block_targets",
        lambda estate, own: [own.resource],
    )


def _block_binds_services(patch: pytest.MonkeyPatch) -> None:
    side_for = evaluate_external._evaluate_resource_policy_alone

    def bound(
        held: accounts.CompiledAccounts,
        caller: ExternalCaller,
        call: AwsRequest,
        known: ContextKeys,
    ) -> ResourcePolicyResult:
        side, own = (
            side_for(held, caller, call, known),
            evaluate_principal.find_policy_of_requested_resource(held, call),
        )
        bucket = isinstance(own, ResourcePolicy)
        return (
            s3_public_access.apply_public_access_block(held, own, call, side)
            if bucket
            else side
        )

    patch.setattr(evaluate_external, "_evaluate_resource_policy_alone", bound)


def _pinned_policies_are_public(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(s3_public_access, "_restricts_to_fixed_values", lambda *_: False)


def _wild_values_pin(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(s3_public_access, "_restricts_to_fixed_values", lambda *_: True)


def _anybody_by_account(patch: pytest.MonkeyPatch) -> None:
    for module in (external_callers, evaluate_external):
        patch.setattr(
            module,
            "match_principal_to_external_caller",
            lambda *_, **__: [("direct", TRUE)],
        )


def _services_keys_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        external_callers, "_build_service_condition_keys", lambda name: NO_KEYS
    )


def _owner_of_buckets_unknown(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "answerable.reach.aws.compiled.resources.find_resource_account", lambda *_: ""
    )


def _free_calls_judged(patch: pytest.MonkeyPatch) -> None:
    for place in (CompiledPrincipal, evaluate_external):
        patch.setattr(place, "needs_no_permission", lambda *_, **__: None)


def _given_keys_lose(patch: pytest.MonkeyPatch) -> None:
    over = ContextKeys.merge_over
    patch.setattr(ContextKeys, "merge_over", lambda self, below: over(below, self))


_CONTROLS = Mix(organised=10, scp=9, rcp=0, endpoint=0, session=0, outside=0)
_FENCES = Mix(organised=10, scp=0, rcp=10, endpoint=0, session=0, boundary=0)
_BUCKETS = Mix(kinds=("s3:bucket",), rcp=0, endpoint=0, block=9, outside=9)
_DOORS = Mix(kinds=("s3:accesspoint",), rcp=0, endpoint=0, session=0)
_OPEN = Mix(scp=0, rcp=0, endpoint=0, session=0, boundary=0)
_PLAIN = ("s3:bucket", "sqs:queue", "sns:topic")
MISTAKES: dict[str, tuple[Plant, Mix]] = {
    "SCPs are skipped": (scp_skipped, _CONTROLS),
    "the SCPs of the root are skipped": (scp_level_skipped, _CONTROLS),
    "the SCPs of the account are skipped": (scp_of_the_account_skipped, _CONTROLS),
    "an Allow at one SCP level counts for all": (scp_levels_united, _CONTROLS),
    "an SCP level that was not collected lets everything through": (
        scp_level_missing_as_full,
        _CONTROLS,
    ),
    "SCPs bind the management account": (
        management_bound,
        replace(_CONTROLS, subjects=(USERS[1],)),
    ),
    "SCPs bind a service-linked role": (
        linked_roles_bound,
        replace(_CONTROLS, subjects=(role("aws-service-role/linked"),)),
    ),
    "RCPs are skipped": (rcp_skipped, _FENCES),
    "RCPs bind nobody from outside": (rcp_for_insiders_only, _FENCES),
    "RCPs of another account than the owner's count": (
        rcp_of_the_caller,
        replace(_FENCES, outside=9, kinds=("s3:bucket", "kms:key", "sqs:queue")),
    ),
    "RCPs bind every service": (rcp_of_every_service, _FENCES),
    "a deny in a resource's policy is dropped": (_resource_deny_dropped, _OPEN),
    "resource policies are ignored": (_resource_policy_ignored, EVEN),
    "a resource's policy that names the account suffices": (_account_suffices, _OPEN),
    "a key is used without its key policy": (
        _key_policy_not_needed,
        replace(_OPEN, kinds=("kms:key",)),
    ),
    "a policy that nobody asked for counts as none": (_uncollected_as_none, _OPEN),
    "a policy that nobody asked for counts as granting": (
        _uncollected_as_open_door,
        _OPEN,
    ),
    "a session policy is ignored": (_session_ignored, Mix(session=9, outside=0)),
    "the denies of a session policy are ignored": (
        _session_denies_ignored,
        replace(_OPEN, session=9, outside=0),
    ),
    "a federated user escapes the session policy": (
        _federated_user_escapes,
        replace(_OPEN, session=10, outside=0, kinds=_PLAIN, subjects=(USERS[0],)),
    ),
    "an endpoint policy is ignored": (_endpoint_ignored, Mix(endpoint=9)),
    "the Principal of an endpoint policy is ignored": (
        _endpoint_names_everybody,
        replace(_OPEN, endpoint=9, outside=0),
    ),
    "an access point opens without its bucket": (_door_without_bucket, _DOORS),
    "a bucket opens without its access point": (_bucket_without_door, _DOORS),
    "the bucket of an access point is not known and counts as open": (
        _unknown_bucket_as_open,
        replace(_OPEN, outside=0),
    ),
    "the network of an access point is ignored": (_network_ignored, _DOORS),
    "what comes through an access point does not say so": (
        _door_keys_forgotten,
        replace(_DOORS, scp=0, boundary=0, pinned=9, lines="DataAccessPoint"),
    ),
    "the public-access block is ignored": (_block_ignored, _BUCKETS),
    "the public-access block of the account is ignored": (
        _block_of_the_account_ignored,
        _BUCKETS,
    ),
    "the public-access block binds services": (_block_binds_services, _BUCKETS),
    "a policy pinned to fixed values is public": (
        _pinned_policies_are_public,
        replace(_BUCKETS, pinned=9),
    ),
    "a condition with wildcards makes a policy less than public": (
        _wild_values_pin,
        replace(_BUCKETS, pinned=9),
    ),
    "whoever is named, strangers are let in": (_anybody_by_account, _OPEN),
    "a service is not known to be one": (
        _services_keys_forgotten,
        replace(_OPEN, outside=9, lines="AWSService"),
    ),
    "the owner of a bucket is not known": (_owner_of_buckets_unknown, _OPEN),
    "a call that needs no permission is judged": (
        _free_calls_judged,
        replace(_OPEN, plain=10, assume=0, kinds=("sqs:queue",)),
    ),
    "what the snapshot knows beats what the question states": (
        _given_keys_lose,
        replace(
            _OPEN,
            outside=0,
            kinds=("sqs:queue",),
            lines="PrincipalTag/team",
            subjects=(USERS[0],),
        ),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_law_finds(mistake: str) -> None:
    plant, mix = MISTAKES[mistake]
    assert is_caught(plant, cases(mix), laws.holds_for)
