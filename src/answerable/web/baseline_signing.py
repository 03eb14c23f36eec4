"""Build the signing action of a baseline: its stage, its term, what it restricts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from answerable.model.baseline import BaselineStage
from answerable.model.errors import UsageError
from answerable.model.time_units import HOUR_NS
from answerable.presentation.command_hints import format_command
from answerable.services.baseline import profile_learning
from answerable.services.baseline.profiles import turns_off_enforcement
from answerable.services.statements import signed_baselines
from answerable.usecases.baseline import manage_profiles
from answerable.web.call_changes import list_baseline_changes
from answerable.web.routing import Forbidden
from answerable.web.signing_action import (
    ActionFields,
    SigningAction,
    is_hex,
    read_choice,
)
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor

if TYPE_CHECKING:
    from answerable.web.store_cache import StoreCache

_ENDS_ENFORCEMENT = "ends-enforcement"  # value of `again` on the second step
_DIGEST = 64  # hex digits
_SPANS: Mapping[str, int] = {
    "7d": 7 * 24 * HOUR_NS,
    "30d": 30 * 24 * HOUR_NS,
    "90d": 90 * 24 * HOUR_NS,
}

_STAGES: Mapping[BaselineStage, tuple[str, str]] = {
    BaselineStage.SHADOW: (
        "You sign this baseline for {agent}, in shadow",
        "No call is denied. Calls outside the baseline are recorded and shown here.",
    ),
    BaselineStage.ENFORCE: (
        "You enforce this baseline for {agent}",
        "Calls outside the baseline are denied, or wait for your approval. Each is "
        "shown here.",
    ),
    BaselineStage.OFF: (
        "You end this baseline for {agent}",
        "It no longer denies or records calls. Rules still apply.",
    ),
}


def build_baseline_action(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action by which an owner signs a baseline in a stage (shadow...)."""
    digest = fields.get("id", "")
    if not is_hex(digest, _DIGEST):
        raise Forbidden
    with cache.open_store() as store:
        try:
            profile = profile_learning.load_profile(store, digest)[1]
        except UsageError:
            raise Forbidden from None
    agent = profile.subject.agent
    if not visitor.answers_for(agent):
        raise Forbidden
    stage = BaselineStage(
        read_choice(fields, "stage", "shadow", [each.value for each in BaselineStage])
    )
    span = read_choice(fields, "for", "90d", _SPANS)
    title, follows = _STAGES[stage]
    with cache.open_store() as store:
        active = signed_baselines.read_active_baselines(store, cache.now).get(
            profile.subject
        )
    loosens = turns_off_enforcement(active, stage)
    is_second = fields.get("again") == _ENDS_ENFORCEMENT
    again = {"act": "hold", "id": digest, "stage": stage.value, "for": span}
    ends = (f"Enforcement ends: the baseline denies {agent} no more calls.",)
    return SigningAction(
        title=title.format(agent=agent),
        second_step=build_url("/sign", **again, again=_ENDS_ENFORCEMENT)
        if loosens and not is_second
        else "",
        follows=(
            *(ends if loosens else ()),
            follows,
            f"It covers calls to {profile.subject.server} and expires after {span}. "
            "A running gateway applies it within a second.",
        ),
        subject=agent,
        changes=list_baseline_changes(profile, active, stage),
        execute=lambda store, signer, now: manage_profiles.sign_profile(
            store,
            digest,
            signer,
            stage,
            lifetime=_SPANS[span],
            now=now,
            ends_enforcement=is_second,
        ),
        command=format_command(
            "baseline",
            "sign",
            digest[:16],
            "--stage",
            stage.value,
            *(("--ends-enforcement",) if loosens else ()),
            "--for",
            span,
            "--key",
            "KEY",
        ),
        back=build_url("/baseline", agent=agent),
        confirmation=f"Signed: the baseline of {agent} is in the stage {stage.value}.",
    )
