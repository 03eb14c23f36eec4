"""Administrators, public and externally assumable identities (`reach --all`)."""

from dataclasses import replace

from answerable.model.documents.core import Document, ShownItem
from answerable.model.documents.what_if import ExposureItem
from answerable.model.inventory import Inventory
from answerable.presentation.command_hints import command
from answerable.reach import answer_documents, queries
from answerable.reach.acting_agents import agents_through, gravity_of
from answerable.reach.aws.compiled.principal_element import owner_in
from answerable.reach.exposure import EstateExposure, Exposure, Gravity
from answerable.reach.formula import Verdict
from answerable.reach.unknown_subjects import UnknownSubject
from answerable.services.reach.query_context import (
    Asked,
    actors_of_accounts,
    alone,
    asked_of,
    coverage_of,
    missing_of,
    require_paths,
)
from answerable.services.reach.request_context import Given
from answerable.services.reach.unknown_permissions import (
    looked,
    scan_command,
    unknown_holders,
    unknown_items,
)

_ORDER = tuple(Gravity)
_EXAMPLES = 10


@alone
def reach_all(inventory: Inventory, *, now: int, limit: int = 0) -> Document:
    """List all risky identities of every account, most severe first.

    Args:
        now: UTC nanoseconds.
        limit: Most items; 0 for all.
    """
    asked = asked_of(inventory, None, Given(), now, whole=True)
    require_paths(asked)
    exposure = EstateExposure(asked.graph)
    graded = gravity_of(inventory)
    unknown = unknown_holders(asked)
    open_ids = {each.id for each in unknown}
    found = [
        each
        for each in exposure.identities()
        if each.gravity is not Gravity.NOTHING and each.identity not in open_ids
    ]
    found.sort(
        key=lambda each: (
            _ORDER.index(each.gravity),
            not each.is_certain,
            graded.of_identity(each.identity),
            -each.becomes.bit_count(),
            each.identity,
        )
    )
    shown = found[:limit] if limit else found
    listed = [_item(asked, exposure, each) for each in shown]
    listed += [_unknown(inventory, each) for each in unknown]
    replies = [
        replace(queries.nobody(), subject=name, actor=name)
        for name in actors_of_accounts(asked)
    ]
    absent: set[str] = set()
    for reply in replies or [queries.nobody()]:
        absent |= missing_of(asked, reply, "sts:AssumeRole", "*")
    coverage = coverage_of(asked, replies, absent)
    coverage["looked"] = looked(asked)
    if len(shown) < len(found):
        coverage["shown"] = ShownItem(
            rows=len(shown), what="risky identities", done=len(shown), of=len(found)
        )
    following = command("reach", listed[0]["subject"]) if shown else ""
    return Document(
        "reach-all", listed, coverage, next=following or scan_command(unknown)
    )


def _item(asked: Asked, exposure: EstateExposure, found: Exposure) -> ExposureItem:
    names = exposure.becomes(found)
    return {
        "subject": found.identity,
        "account": owner_in(found.identity),
        "gravity": found.gravity.value,
        "admin": found.admin.value,
        "public": found.public.value,
        "external": found.external.value,
        "becomes": len(names),
        "examples": list(names[:_EXAMPLES]),
        "agents": agents_through(asked.inventory, found.identity),
        "path": [answer_documents.path_item(hop) for hop in exposure.path(found)],
        "entered_by": list(found.entered_by),
    }


def _unknown(inventory: Inventory, unknown: UnknownSubject) -> ExposureItem:
    return {
        "subject": unknown.id,
        "account": owner_in(unknown.id),
        "gravity": "not known",
        "admin": Verdict.NOT_KNOWN.value,
        "public": Verdict.NOT_KNOWN.value,
        "external": Verdict.NOT_KNOWN.value,
        "becomes": None,
        "examples": [],
        "agents": agents_through(inventory, unknown.id),
        "path": [],
        "entered_by": [],
        "unknown": unknown_items(inventory, [unknown]),
    }
