"""Approve pinned tool definitions of MCP servers with a signed statement."""

from typing import TYPE_CHECKING

from answerable.authorization.pins.pin_comparison import (
    ApprovalSelection,
    apply_approval,
    is_selection_current,
    select_items_for_approval,
)
from answerable.model.definition_pin import DefinitionApproval, ServerPins
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId
from answerable.presentation.command_hints import format_command
from answerable.server.pins.pin_files import PinFiles
from answerable.server.state_folders import gateway_state
from answerable.services.statements.attested_owners import open_owner_reader
from answerable.services.statements.owner_keys import StatementSigner
from answerable.usecases.authorization import tool_pins as flow
from answerable.web.routing import Forbidden
from answerable.web.signing_action import ActionFields, SigningAction
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore
    from answerable.web.store_cache import StoreCache

_AGAIN = "review them again: /tools/diff"


def get_gateway_pin_files(cache: "StoreCache") -> PinFiles:
    """Return the pin files in the state folder of the gateway."""
    usual = cache.root / "gateway"
    state = usual if cache.config is None else gateway_state(cache.config, cache.root)
    return PinFiles(state)


def may_approve_definitions(cache: "StoreCache", visitor: Visitor, server: str) -> bool:
    """Return whether the visitor may approve the definitions of a server."""
    if (
        visitor.person is None
        or WebPermission.OWN not in visitor.may
        or cache.config is None
    ):
        return False
    allowed = flow.list_approvers(cache.config, server)
    with cache.open_store() as store:
        owners = open_owner_reader(store)
        owners.read(cache.now)
        known = {owners.canonical_person(each) for each in allowed}
        return not known or owners.canonical_person(visitor.person) in known


def build_pin_approval(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the signing action that approves pending definitions of a server.

    Raises:
        Forbidden: The visitor may not approve, or the server is unknown.
        UsageError: Nothing is pending.
    """
    server, item = fields.get("id", ""), fields.get("item", "")
    files, config = get_gateway_pin_files(cache), cache.config
    # The server's name is a file name, so it must be a known one.
    known = config is not None and server in files.list_servers()
    if (
        config is None
        or not known
        or not may_approve_definitions(cache, visitor, server)
    ):
        raise Forbidden
    chosen = select_items_for_approval(files.read_pins(server), (item,) if item else ())
    claims = flow.build_approval_claims(server, chosen)
    if not claims:
        raise UsageError(f"no definition of {server} awaits approval", _AGAIN)
    allowed = flow.list_approvers(config, server)

    def execute(store: "EvidenceStore", signer: StatementSigner, now: int) -> object:
        return _record_approval(cache, store, signer, (server, chosen, allowed), now)

    count = len(claims)
    what = claims[0][0] if count == 1 else f"{count} definitions of {server}"
    return SigningAction(
        title=f"You approve {what}",
        follows=(
            "Agents see these definitions within a second. Later changes by the server "
            "are in quarantine until they are approved.",
        ),
        subject=f"server:{server}",
        execute=execute,
        command=format_command(
            "tools",
            "approve",
            server,
            *((item,) if item else ()),
            "--config",
            "FILE",
            "--key",
            "KEY",
        ),
        back=build_url("/tools/diff", server=server),
        confirmation=f"Signed: {what} approved.",
    )


def _record_approval(
    cache: "StoreCache",
    store: "EvidenceStore",
    signer: StatementSigner,
    selected: tuple[str, ApprovalSelection, frozenset[PersonId]],
    now: int,
) -> DefinitionApproval:
    """Record the signed approval and pin the definitions, under the file lock."""
    server, chosen, allowed = selected
    inventory, approvals = cache.current_view().inventory, list[DefinitionApproval]()

    def approve_now(known: ServerPins) -> ServerPins | None:
        if not is_selection_current(known, chosen):
            return None
        approval = flow.approve_definitions(
            store, inventory, server, chosen, signer, approvers=allowed, now=now
        )
        approvals.append(approval)
        return apply_approval(known, chosen, approval)

    if get_gateway_pin_files(cache).change_pins(server, approve_now) is None:
        raise UsageError(
            f"the definitions of {server} have changed since they were shown", _AGAIN
        )
    return approvals[0]
