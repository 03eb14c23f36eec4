"""Mistakes with policy kinds beyond the caller's own: each is found by the law."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from answerable.model.policy import Layer
from answerable.reach.estate import (
    callers,
    compiled,
    control,
    estate,
    outside,
    public_access,
    services,
)
from answerable.reach.estate.clauses import Clause
from answerable.reach.estate.control import Limit
from answerable.reach.estate.outside import Caller
from answerable.reach.estate.principals import Principal
from answerable.reach.verdict import evaluate, judge, judge_outside, sides
from answerable.reach.verdict.context import NOTHING, Known
from answerable.reach.verdict.formula import FALSE, TRUE, Formula
from answerable.reach.verdict.request import Request, Side
from answerable.reach.verdict.sides import ResourcePolicy
from tests.reach import laws
from tests.reach.build import role
from tests.reach.planted import Plant, caught
from tests.reach.strategies_cases import cases
from tests.reach.strategies_mix import EVEN, Mix
from tests.reach.strategies_organisation import USERS

_levels_of = control.levels_of
_paths_over = compiled.paths_over
_stated = compiled.stated
_side_of = sides.side_of
_said = sides.said
_is_required = sides.is_required
_missing_side = judge.missing_side
_under = Principal.under


def _levels(patch: pytest.MonkeyPatch, keep: slice) -> None:
    def levels_of(path: Iterable[str], *rest: object) -> tuple[Limit, ...]:
        return _levels_of(path, *rest)[keep]  # type: ignore[arg-type] - passed through

    patch.setattr(compiled, "levels_of", levels_of)


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

    patch.setattr(compiled, "levels_of", levels_of)


def _scp_level_missing_as_full(patch: pytest.MonkeyPatch) -> None:
    def levels_of(path: Iterable[str], *rest: object) -> tuple[Limit, ...]:
        levels = _levels_of(path, *rest)  # type: ignore[arg-type] - passed through
        return tuple(one for one in levels if one.grants or len(one.gaps) != 1)

    patch.setattr(compiled, "levels_of", levels_of)


def _management_bound(patch: pytest.MonkeyPatch) -> None:
    def paths_over(
        accounts: dict[str, object], *rest: object
    ) -> dict[str, tuple[str, ...]]:
        members = {k: replace(a, management=False) for k, a in accounts.items()}  # type: ignore[type-var] - accounts
        return _paths_over(members, *rest)  # type: ignore[arg-type] - passed through

    for module in (compiled, estate):
        patch.setattr(module, "paths_over", paths_over)


def _linked_roles_bound(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiled, "is_service_linked", lambda identity: False)


def _rcp_skipped(patch: pytest.MonkeyPatch) -> None:
    for module in (evaluate, judge_outside):
        patch.setattr(module, "fenced", lambda *_: [])


def _rcp_for_insiders_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge_outside, "fenced", lambda *_: [])


def _rcp_of_the_caller(patch: pytest.MonkeyPatch) -> None:
    known = estate.Estate._fences
    patch.setattr(
        estate.Estate,
        "_fences",
        lambda self, owner, *, wild: known(self, "111122223333", wild=wild),
    )


def _rcp_of_every_service(patch: pytest.MonkeyPatch) -> None:
    for module in (services, estate):
        patch.setattr(module, "binds_rcps", lambda action: True)


def _sides_changed(patch: pytest.MonkeyPatch, **change: Formula) -> None:
    def said(own: object, *rest: object, **more: object) -> Side:
        side = _said(own, *rest, **more)  # type: ignore[arg-type] - passed through
        return replace(side, **change) if isinstance(own, ResourcePolicy) else side  # type: ignore[arg-type] - formulas only

    for module in (sides, judge_outside):
        patch.setattr(module, "said", said)


def _resource_deny_dropped(patch: pytest.MonkeyPatch) -> None:
    _sides_changed(patch, denied=FALSE)


def _resource_policy_ignored(patch: pytest.MonkeyPatch) -> None:
    _sides_changed(patch, escaping=FALSE, direct=FALSE, account=FALSE)


def _account_suffices(patch: pytest.MonkeyPatch) -> None:
    def said(own: object, *rest: object, **more: object) -> Side:
        side = _said(own, *rest, **more)  # type: ignore[arg-type] - passed through
        return replace(side, direct=evaluate.either(side.direct, side.account))

    patch.setattr(sides, "said", said)


def _key_policy_not_needed(patch: pytest.MonkeyPatch) -> None:
    def is_required(call: Request) -> bool:
        return not call.action.startswith("kms:") and _is_required(call)

    for module in (sides, judge):
        patch.setattr(module, "is_required", is_required)


def _uncollected_as_none(patch: pytest.MonkeyPatch) -> None:
    def missing_side(call: Request, *, near: bool) -> Side:
        return replace(_missing_side(call, near=near), direct=FALSE)

    for module in (judge, judge_outside):
        patch.setattr(module, "missing_side", missing_side)


def _uncollected_as_open_door(patch: pytest.MonkeyPatch) -> None:
    def missing_side(call: Request, *, near: bool) -> Side:
        return replace(_missing_side(call, near=near), direct=TRUE)

    for module in (judge, judge_outside):
        patch.setattr(module, "missing_side", missing_side)


def _session_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Principal, "under", lambda self, session: self)


def _session_denies_ignored(patch: pytest.MonkeyPatch) -> None:
    def under(self: Principal, session: Limit) -> Principal:
        allows = tuple(g for g in session.grants if g.clause.effect.value == "allow")
        return _under(self, Limit(session.layer, session.target, allows, session.gaps))

    patch.setattr(Principal, "under", under)


def _federated_user_escapes(patch: pytest.MonkeyPatch) -> None:
    names = callers.names

    def as_user(
        clause: Clause, who: Principal, known: Known, *, trusts: bool = False
    ) -> callers.Names:
        return names(clause, replace(who, session=None), known, trusts=trusts)

    patch.setattr(sides, "names", as_user)
    patch.setattr(judge, "names", as_user)


def _endpoint_ignored(patch: pytest.MonkeyPatch) -> None:
    def stated(builder: object, policy: object, layer: Layer) -> Limit | None:
        return None if layer is Layer.ENDPOINT else _stated(builder, policy, layer)  # type: ignore[arg-type] - passed through

    patch.setattr(estate, "stated", stated)


def _endpoint_names_everybody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evaluate, "names", lambda *_: [("direct", TRUE)])


def _door_without_bucket(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge, "joined", lambda front, back, network: front)


def _bucket_without_door(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge, "joined", lambda front, back, network: back)


def _unknown_bucket_as_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge, "bucket_unknown", lambda door: TRUE)


def _network_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge, "in_network", lambda *_: TRUE)


def _door_keys_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge, "through", lambda door: {})


def _block_ignored(patch: pytest.MonkeyPatch) -> None:
    for module in (judge, judge_outside):
        patch.setattr(module, "kept_out", lambda estate, own, call, side: side)


def _block_of_the_account_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(public_access, "_over", lambda estate, own: [own.resource])


def _block_binds_services(patch: pytest.MonkeyPatch) -> None:
    side_for = judge_outside._side_for

    def bound(held: estate.Estate, caller: Caller, call: Request, known: Known) -> Side:
        side, own = side_for(held, caller, call, known), judge.own_policy(held, call)
        bucket = isinstance(own, ResourcePolicy)
        return public_access.kept_out(held, own, call, side) if bucket else side

    patch.setattr(judge_outside, "_side_for", bound)


def _pinned_policies_are_public(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(public_access, "_pins", lambda *_: False)


def _wild_values_pin(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(public_access, "_pins", lambda *_: True)


def _anybody_by_account(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outside, "named", lambda clause, caller: [("direct", TRUE)])
    patch.setattr(judge_outside, "named", lambda clause, caller: [("direct", TRUE)])


def _services_keys_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outside, "_service", lambda name: NOTHING)


def _owner_of_buckets_unknown(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("answerable.reach.estate.places.owner_of", lambda *_: "")


def _free_calls_judged(patch: pytest.MonkeyPatch) -> None:
    for place in (Principal, judge_outside):
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
