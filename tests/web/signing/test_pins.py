"""What a server says of its tools is read field by field, and approved by signature."""

from dataclasses import replace

import pytest

from answerable.model.config import AllowRule
from answerable.model.definition_pin import (
    DefinitionKind,
    DefinitionPin,
    McpDefinition,
    PinOrigin,
    QuarantinedDefinition,
    QuarantineReason,
    ServerPins,
)
from answerable.model.errors import UsageError, VerificationError
from answerable.services.statements.tool_approvals import TOOLS_APPROVAL
from answerable.web.pin_approval import get_gateway_pin_files
from answerable.web.routing import Forbidden
from answerable.web.store_cache import StoreCache
from tests.authorization.config_strategies import agent, config, server
from tests.inventory.fact_builders import NOW
from tests.usecases.owned_store import BEN, OTHER
from tests.web.conftest import answer, shown
from tests.web.markup_checks import HOSTILE, markup_faults
from tests.web.signing.owner_store import ADMIN, INVESTIGATOR, OWNER, owner
from tests.web.signing.test_signing import drafts, envelope, signed


def definition(name: str, told: str) -> McpDefinition:
    digest = told.encode().hex().ljust(64, "0")[:64]
    return McpDefinition(
        DefinitionKind.TOOL, name, digest, (("description", f'"{told}"'),)
    )


def changed(desk: StoreCache, told: str = "reads, and mails") -> None:
    """Have a server say something else of a tool than what was pinned."""
    rule = AllowRule("agents.one.allow[0]", "files", ("*",), (), (), ())
    declared = replace(agent("one", rule), owner="ana@corp.example")
    desk.config = config(declared, servers=(server("files"),))
    before, after = definition("read", "reads"), definition("read", told)
    pins = ServerPins(
        items={before.key: DefinitionPin(before, NOW)},
        seen={after.key: QuarantinedDefinition(after, QuarantineReason.CHANGED, NOW)},
    )
    get_gateway_pin_files(desk).change_pins("files", lambda known: pins)


def test_a_change_is_shown_and_approved_by_who_answers_for_an_agent_of_it(
    desk: StoreCache,
) -> None:
    changed(desk)
    page = shown(desk, OWNER, "/tools/diff")
    for told in ("changed", "held back", "reads, and mails", "act=approve"):
        assert told in page
    moved = signed(desk, act="approve", id="files", item="tool:read")
    assert moved.location == "/tools/diff?server=files"
    pin = get_gateway_pin_files(desk).read_pins("files").items["tool:read"]
    assert (pin.pin_origin, pin.definition.fields[0][1]) == (
        PinOrigin.APPROVED,
        '"reads, and mails"',
    )
    page = shown(desk, OWNER, "/tools/diff", all="yes")
    assert "approved" in page
    assert "unproven" not in page
    page = shown(desk, OWNER, "/tools/diff", server="files")
    assert "All definitions of files are as pinned." in page
    with pytest.raises(UsageError, match="no definition of files awaits"):
        drafts(desk, OWNER, act="approve", id="files")


def test_showing_what_would_be_signed_pins_nothing(desk: StoreCache) -> None:
    changed(desk)
    before = get_gateway_pin_files(desk).read_pins("files")
    shown(desk, OWNER, "/sign", act="approve", id="files")
    assert get_gateway_pin_files(desk).read_pins("files") == before
    with desk.open_store() as store:
        assert store.list_objects(TOOLS_APPROVAL) == ()


def test_what_changes_again_before_it_is_signed_is_not_approved(
    desk: StoreCache,
) -> None:
    changed(desk)
    said = {"act": "approve", "id": "files"}
    (payload,) = drafts(desk, OWNER, **said).values()
    changed(desk, "reads, and deletes")
    with pytest.raises(VerificationError, match="differ"):
        answer(desk, OWNER, "/sign", "POST", **said, envelope=envelope(payload))
    assert "tool:read" in get_gateway_pin_files(desk).read_pins("files").seen


def test_nobody_else_approves(desk: StoreCache) -> None:
    changed(desk)
    for visit in (owner(BEN, OTHER), INVESTIGATOR, ADMIN):
        assert "act=approve" not in shown(desk, visit, "/tools/diff")
        with pytest.raises(Forbidden):
            answer(desk, visit, "/sign", act="approve", id="files")


@pytest.mark.parametrize(
    "name", ["../kills", "/etc/passwd", "none", "", "../pins/files"]
)
def test_the_name_of_a_server_is_no_path(desk: StoreCache, name: str) -> None:
    changed(desk)
    with pytest.raises(Forbidden):
        answer(desk, OWNER, "/sign", act="approve", id=name)
    if name:
        with pytest.raises(Forbidden):
            answer(desk, OWNER, "/tools/diff", server=name)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_a_server_says_is_text(desk: StoreCache, text: str) -> None:
    changed(desk, text)
    told = McpDefinition(
        DefinitionKind.TOOL, text[:500], "a" * 64, (("description", text),)
    )
    pins = ServerPins(
        seen={told.key: QuarantinedDefinition(told, QuarantineReason.NEW, NOW)}
    )
    get_gateway_pin_files(desk).change_pins("files", lambda known: pins)
    for path, said in (
        ("/tools/diff", {}),
        ("/sign", {"act": "approve", "id": "files", "item": told.key}),
    ):
        assert markup_faults(shown(desk, OWNER, path, **said)) == []
