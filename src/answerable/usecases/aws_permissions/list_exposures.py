"""List admin, public and externally assumable identities (`reach --all`)."""

from dataclasses import replace

from answerable.model.documents.shared_shapes import Document, TruncationItem
from answerable.model.documents.what_if import ExposureItem
from answerable.model.inventory import Inventory
from answerable.presentation.command_hints import format_command
from answerable.reach.acting_agents import list_agents_by_identity_used, rank_by_agents
from answerable.reach.aws import answer_items, subject_queries
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.identity_exposure import (
    AccountExposure,
    ExposureGrade,
    IdentityExposure,
)
from answerable.reach.aws.permission_lists import list_uncollected_identities
from answerable.reach.aws.query_context import (
    QueryContext,
    list_missing_data_for_answer,
    pick_identity_per_account,
    require_assume_role_paths,
)
from answerable.reach.condition_formula import Verdict
from answerable.reach.platform import Question, UnknownSubject
from answerable.services.reach.aws_queries import (
    build_query_coverage,
    describe_query_scope,
)
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.platform_registry import AWS
from answerable.services.reach.unknown_verdict_rows import (
    build_unknown_reason_items,
    suggest_scan_command,
)

_ORDER = tuple(ExposureGrade)
_EXAMPLES = 10


@serialize_queries
def list_exposures(
    inventory: Inventory, *, now: int, limit: int = 0, start: int = 0
) -> Document:
    """List all risky identities of every account, most severe first.

    Args:
        now: UTC nanoseconds.
        limit: Most items; 0 for all.
        start: Number of items before the first; the unknown identities always follow.
    """
    asked = AWS.build_permission_query(inventory, Question(now), compile_all=True)
    require_assume_role_paths(asked)
    exposure = AccountExposure(asked.graph)
    graded = rank_by_agents(inventory)
    unknown = list_uncollected_identities(asked)
    open_ids = {each.id for each in unknown}
    found = [
        each
        for each in exposure.list_identity_exposures()
        if each.grade is not ExposureGrade.NOTHING and each.identity not in open_ids
    ]
    found.sort(
        key=lambda each: (
            _ORDER.index(each.grade),
            not each.is_unconditional,
            graded.grade_identity_severity(each.identity),
            -each.becomes,
            each.identity,
        )
    )
    shown = found[start : start + limit] if limit else found[start:]
    listed = [_build_exposure_item(asked, exposure, each) for each in shown]
    listed += [_build_unknown_item(inventory, each) for each in unknown]
    replies = [
        replace(subject_queries.build_never_answer(), subject=name, actor=name)
        for name in pick_identity_per_account(asked)
    ]
    absent: set[str] = set()
    for reply in replies or [subject_queries.build_never_answer()]:
        absent |= list_missing_data_for_answer(asked, reply, "sts:AssumeRole", "*")
    if all(trust.collected for trust in asked.compiled_accounts.trusts.values()):
        absent.discard(
            "role-trust"
        )  # the roles of the scanned accounts are the question
    coverage = build_query_coverage(asked, replies, absent)
    coverage["looked"] = describe_query_scope(asked)
    if len(shown) < len(found):
        coverage["shown"] = TruncationItem(
            rows=len(shown),
            what="risky identities",
            done=min(start + len(shown), len(found)),
            of=len(found),
        )
    following = format_command("reach", listed[0]["subject"]) if shown else ""
    return Document(
        "reach-all", listed, coverage, next=following or suggest_scan_command(unknown)
    )


def _build_exposure_item(
    query: QueryContext, account_exposure: AccountExposure, exposure: IdentityExposure
) -> ExposureItem:
    """Convert a risky identity to a document item with path and agents."""
    examples = account_exposure.list_reachable_identities(exposure, _EXAMPLES)
    return {
        "subject": exposure.identity,
        "account": get_arn_account(exposure.identity),
        "gravity": exposure.grade.value,
        "admin": exposure.admin.value,
        "public": exposure.public.value,
        "external": exposure.external.value,
        "becomes": exposure.becomes,
        "examples": list(examples),
        "agents": list_agents_by_identity_used(query.inventory, exposure.identity),
        "path": [
            answer_items.build_path_item(hop)
            for hop in account_exposure.find_exposure_path(exposure)
        ],
        "entered_by": list(exposure.entered_by),
    }


def _build_unknown_item(inventory: Inventory, unknown: UnknownSubject) -> ExposureItem:
    """Build the item of an identity whose permissions were not collected."""
    return {
        "subject": unknown.id,
        "account": get_arn_account(unknown.id),
        "gravity": "not known",
        "admin": Verdict.NOT_KNOWN.value,
        "public": Verdict.NOT_KNOWN.value,
        "external": Verdict.NOT_KNOWN.value,
        "becomes": None,
        "examples": [],
        "agents": list_agents_by_identity_used(inventory, unknown.id),
        "path": [],
        "entered_by": [],
        "unknown": build_unknown_reason_items(inventory, [unknown]),
    }
