"""Signed baselines in force, as an enforcement point gets them."""

from answerable.model.baseline import BaselineProfile, BaselineStage
from answerable.services.statements.signed_baselines import (
    ActiveBaseline,
    SignedBaselineReader,
)
from answerable.services.statements.statements_in_force import StatementsInForce


def active_baseline(
    profile: BaselineProfile, stage: BaselineStage = BaselineStage.ENFORCE
) -> ActiveBaseline:
    return ActiveBaseline(
        subject=profile.subject,
        digest="d" * 64,
        profile=profile,
        stage=stage,
        person="person:ana@corp.example",
        signed_at=0,
        expires=2**62,
    )


def in_force(*baselines: ActiveBaseline) -> StatementsInForce:
    return StatementsInForce({SignedBaselineReader: baselines})
