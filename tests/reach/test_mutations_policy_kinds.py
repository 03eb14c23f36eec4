"""Mistakes with policy kinds beyond the caller's own: each is found by the law."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from answerable.model.policy import Layer
from answerable.reach.aws.compiled import (
    accounts,
    compile_parts,
    external_callers,
    organization_policies,
    principal_matching,
    s3_public_access,
    service_facts,
)
from answerable.reach.aws.compiled.external_callers import Caller
from answerable.reach.aws.compiled.organization_policies import Limit
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation import (
    evaluate_external,
    evaluate_principal,
    policy_layers,
    resource_policies,
)
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known
from answerable.reach.aws.evaluation.request import Request, Side
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.formula import FALSE, TRUE, Formula
from tests.reach import laws
from tests.reach.account_builder import role
from tests.reach.mutation import Plant, caught
from tests.reach.strategies_cases import cases
from tests.reach.strategies_mix import EVEN, Mix
from tests.reach.strategies_organisation import USERS

_levels_of = organization_policies.levels_of
_paths_over = compile_parts.paths_over
_stated = compile_parts.stated
_side_of = resource_policies.side_of
_said = resource_policies.said
_is_required = resource_policies.is_required
_missing_side = evaluate_principal.missing_side
_under = Principal.under


def _levels(patch: pytest.MonkeyPatch, keep: slice) -> None:
    def levels_of(path: Iterable[str], *rest: object) -> tuple[Limit, ...]:
        return _levels_of(path, *rest)[keep]  # type: ignore[arg-type] - passed through

    patch.setattr(compile_parts, "levels_of", levels_of)


def _scp_skipped(patch: pytest.MonkeyPatch) -> None:
    _levels(patch, slice(0, 0))


def _scp_level_skipped(patch: pytest.MonkeyPatch) -> None:
    _levels(patch, slice(1, None))


def _scp_of_the_account_skipped(patch: pytest.MonkeyPatch) -> None:
    _levels(patch, slice(0, -1))


def _scp_levels_united(patch: pytest.MonkeyPatch) -> None:
    def levels_of(path: Iterable[str], *rest: object) -> tuple[Limit, ...]:
        levels = _levels_of(path, *rest)  # type: ignore[arg-type] - passed through
        grants = tuple(g for level in levels for g in level.grants)
        gaps = tuple(gap for level in levels for gap in level.gaps)
        return (Limit(Layer.SCP, "all", grants, gaps),) if levels else ()

    patch.setattr(compile_parts, "levels_of", levels_of)


def _scp_level_missing_as_full(patch: pytest.MonkeyPatch) -> None:
    def levels_of(path: Iterable[str], *rest: object) -> tuple[Limit, ...]:
        levels = _levels_of(path, *rest)  # type: ignore[arg-type] - passed through
        return tuple(one for one in levels if one.grants or len(one.gaps) != 1)

    patch.setattr(compile_parts, "levels_of", levels_of)


def _management_bound(patch: pytest.MonkeyPatch) -> None:
    def paths_over(
        accounts: dict[str, object], *rest: object
    ) -> dict[str, tuple[str, ...]]:
        members = {k: replace(a, management=False) for k, a in accounts.items()}  # type: ignore[type-var] - accounts
        return _paths_over(members, *rest)  # type: ignore[arg-type] - passed through

    for module in (compile_parts, accounts):
        patch.setattr(module, "paths_over", paths_over)


def _linked_roles_bound(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compile_parts, "is_service_linked", lambda identity: False)


def _rcp_skipped(patch: pytest.MonkeyPatch) -> None:
    for module in (policy_layers, evaluate_external):
        patch.setattr(module, "fenced", lambda *_: [])


def _rcp_for_insiders_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate_external, "fenced", lambda *_: [])


def _rcp_of_the_caller(patch: pytest.MonkeyPatch) -> None:
    known = accounts.Estate._fences
    patch.setattr(
        accounts.Estate,
        "_fences",
        lambda self, owner, *, wild: known(self, "111122223333", wild=wild),
    )


def _rcp_of_every_service(patch: pytest.MonkeyPatch) -> None:
    for module in (service_facts, accounts):
        patch.setattr(module, "binds_rcps", lambda action: True)


def _sides_changed(patch: pytest.MonkeyPatch, **change: Formula) -> None:
    def said(own: object, *rest: object, **more: object) -> Side:
        side = _said(own, *rest, **more)  # type: ignore[arg-type] - passed through
        return replace(side, **change) if isinstance(own, ResourcePolicy) else side  # type: ignore[arg-type] - formulas only

    for module in (resource_policies, evaluate_external):
        patch.setattr(module, "said", said)


def _resource_deny_dropped(patch: pytest.MonkeyPatch) -> None:
    _sides_changed(patch, denied=FALSE)


def _resource_policy_ignored(patch: pytest.MonkeyPatch) -> None:
    _sides_changed(patch, escaping=FALSE, direct=FALSE, account=FALSE)


def _account_suffices(patch: pytest.MonkeyPatch) -> None:
    def said(own: object, *rest: object, **more: object) -> Side:
        side = _said(own, *rest, **more)  # type: ignore[arg-type] - passed through
        return replace(side, direct=policy_layers.either(side.direct, side.account))

    patch.setattr(resource_policies, "said", said)


def _key_policy_not_needed(patch: pytest.MonkeyPatch) -> None:
    def is_required(call: Request) -> bool:
        return not call.action.startswith("kms:") and _is_required(call)

    for module in (resource_policies, evaluate_principal):
        patch.setattr(module, "is_required", is_required)


def _uncollected_as_none(patch: pytest.MonkeyPatch) -> None:
    def missing_side(call: Request, *, near: bool) -> Side:
        return replace(_missing_side(call, near=near), direct=FALSE)

    for module in (evaluate_principal, evaluate_external):
        patch.setattr(module, "missing_side", missing_side)


def _uncollected_as_open_door(patch: pytest.MonkeyPatch) -> None:
    def missing_side(call: Request, *, near: bool) -> Side:
        return replace(_missing_side(call, near=near), direct=TRUE)

    for module in (evaluate_principal, evaluate_external):
        patch.setattr(module, "missing_side", missing_side)


def _session_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Principal, "under", lambda self, session: self)


def _session_denies_ignored(patch: pytest.MonkeyPatch) -> None:
    def under(self: Principal, session: Limit) -> Principal:
        allows = tuple(g for g in session.grants if g.clause.effect.value == "allow")
        return _under(self, Limit(session.layer, session.target, allows, session.gaps))

    patch.setattr(Principal, "under", under)


def _federated_user_escapes(patch: pytest.MonkeyPatch) -> None:
    names = principal_matching.names

    def as_user(
        clause: Clause, who: Principal, known: Known, *, trusts: bool = False
    ) -> principal_matching.Names:
        return names(clause, replace(who, session=None), known, trusts=trusts)

    patch.setattr(resource_policies, "names", as_user)
    patch.setattr(evaluate_principal, "names", as_user)


def _endpoint_ignored(patch: pytest.MonkeyPatch) -> None:
    def stated(builder: object, policy: object, layer: Layer) -> Limit | None:
        return None if layer is Layer.ENDPOINT else _stated(builder, policy, layer)  # type: ignore[arg-type] - passed through

    patch.setattr(accounts, "stated", stated)


def _endpoint_names_everybody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_layers, "names", lambda *_: [("direct", TRUE)])


def _door_without_bucket(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate_principal, "joined", lambda front, back, network: front)


def _bucket_without_door(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate_principal, "joined", lambda front, back, network: back)


def _unknown_bucket_as_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate_principal, "bucket_unknown", lambda door: TRUE)


def _network_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate_principal, "in_network", lambda *_: TRUE)


def _door_keys_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate_principal, "through", lambda door: {})


def _block_ignored(patch: pytest.MonkeyPatch) -> None:
    for module in (evaluate_principal, evaluate_external):
        patch.setattr(module, "kept_out", lambda estate, own, call, side: side)


def _block_of_the_account_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(s3_public_access, "_over", lambda estate, own: [own.resource])


def _block_binds_services(patch: pytest.MonkeyPatch) -> None:
    side_for = evaluate_external._side_for

    def bound(
        held: accounts.Estate, caller: Caller, call: Request, known: Known
    ) -> Side:
        side, own = (
            side_for(held, caller, call, known),
            evaluate_principal.own_policy(held, call),
        )
        bucket = isinstance(own, ResourcePolicy)
        return s3_public_access.kept_out(held, own, call, side) if bucket else side

    patch.setattr(evaluate_external, "_side_for", bound)


def _pinned_policies_are_public(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(s3_public_access, "_pins", lambda *_: False)


def _wild_values_pin(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(s3_public_access, "_pins", lambda *_: True)


def _anybody_by_account(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(external_callers, "named", lambda clause, caller: [("direct", TRUE)])
    patch.setattr(evaluate_external, "named", lambda clause, caller: [("direct", TRUE)])


def _services_keys_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(external_callers, "_service", lambda name: NOTHING)


def _owner_of_buckets_unknown(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("answerable.reach.aws.compiled.resources.owner_of", lambda *_: "")


def _free_calls_judged(patch: pytest.MonkeyPatch) -> None:
    for place in (Principal, evaluate_external):
        patch.setattr(place, "is_free", lambda *_, **__: None)


def _given_keys_lose(patch: pytest.MonkeyPatch) -> None:
    over = Known.over
    patch.setattr(Known, "over", lambda self, below: over(below, self))


_CONTROLS = Mix(organised=10, scp=9, rcp=0, endpoint=0, session=0, outside=0)
_FENCES = Mix(organised=10, scp=0, rcp=10, endpoint=0, session=0, boundary=0)
_BUCKETS = Mix(kinds=("s3:bucket",), rcp=0, endpoint=0, block=9, outside=9)
_DOORS = Mix(kinds=("s3:accesspoint",), rcp=0, endpoint=0, session=0)
_OPEN = Mix(scp=0, rcp=0, endpoint=0, session=0, boundary=0)
_PLAIN = ("s3:bucket", "sqs:queue", "sns:topic")
MISTAKES: dict[str, tuple[Plant, Mix]] = {
    "SCPs are skipped": (_scp_skipped, _CONTROLS),
    "the SCPs of the root are skipped": (_scp_level_skipped, _CONTROLS),
    "the SCPs of the account are skipped": (_scp_of_the_account_skipped, _CONTROLS),
    "an Allow at one SCP level counts for all": (_scp_levels_united, _CONTROLS),
    "an SCP level that was not collected lets everything through": (
        _scp_level_missing_as_full,
        _CONTROLS,
    ),
    "SCPs bind the management account": (
        _management_bound,
        replace(_CONTROLS, subjects=(USERS[1],)),
    ),
    "SCPs bind a service-linked role": (
        _linked_roles_bound,
        replace(_CONTROLS, subjects=(role("aws-service-role/linked"),)),
    ),
    "RCPs are skipped": (_rcp_skipped, _FENCES),
    "RCPs bind nobody from outside": (_rcp_for_insiders_only, _FENCES),
    "RCPs of another account than the owner's count": (
        _rcp_of_the_caller,
        replace(_FENCES, outside=9, kinds=("s3:bucket", "kms:key", "sqs:queue")),
    ),
    "RCPs bind every service": (_rcp_of_every_service, _FENCES),
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
    assert caught(plant, cases(mix), laws.holds_for)
