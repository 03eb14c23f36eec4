"""Approval of pins: what a server declares about its tools, prompts and identity."""

from typing import TYPE_CHECKING

from answerable.authorization.pins.observation import (
    ApprovalSelection,
    apply_approval,
    is_current,
    select_for_approval,
)
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId
from answerable.model.pin import DefinitionApproval, ServerPins
from answerable.presentation.command_hints import format_command
from answerable.server.pins.pin_files import PinFiles
from answerable.server.state_folders import gateway_state
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.services.statements.owner_keys import StatementSigner
from answerable.usecases.authorization import tool_pins as flow
from answerable.web.routing import Forbidden
from answerable.web.signing_action import ActionFields, SigningAction
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore
    from answerable.web.store_cache import StoreCache

_AGAIN = "look again: /tools/diff"


def gateway_pin_files(desk: "StoreCache") -> PinFiles:
    """Return the pin files of the gateway."""
    usual = desk.root / "gateway"
    state = usual if desk.config is None else gateway_state(desk.config, desk.root)
    return PinFiles(state)


def may_approve(desk: "StoreCache", visit: Visitor, server: str) -> bool:
    """Tell whether the visitor may approve for a server."""
    if (
        visit.person is None
        or WebPermission.OWN not in visit.may
        or desk.config is None
    ):
        return False
    allowed = flow.list_approvers(desk.config, server)
    with desk.open_store() as store:
        owners = AttestedOwnerReader(store)
        owners.read(desk.now)
        known = {owners.canonical_person(each) for each in allowed}
        return not known or owners.canonical_person(visit.person) in known


def build_approval(
    desk: "StoreCache", visit: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the approval of a server's pending definitions, or of one item.

    Raises:
        Forbidden: The visitor may not approve, or the server is unknown.
        UsageError: Nothing is pending.
    """
    server, item = fields.get("id", ""), fields.get("item", "")
    files, config = gateway_pin_files(desk), desk.config
    # The server's name is a file name, so it must be a known one.
    known = config is not None and server in files.list_servers()
    if config is None or not known or not may_approve(desk, visit, server):
        raise Forbidden
    chosen = select_for_approval(files.read(server), (item,) if item else ())
    claims = flow.build_approval_claims(server, chosen)
    if not claims:
        raise UsageError(f"no definition of {server} waits for approval", _AGAIN)
    allowed = flow.list_approvers(config, server)

    def tell(store: "EvidenceStore", who: StatementSigner, now: int) -> object:
        return _record_approval(desk, store, who, (server, chosen, allowed), now)

    count = len(claims)
    what = claims[0][0] if count == 1 else f"{count} definitions of {server}"
    return SigningAction(
        title=f"You approve {what}",
        follows=(
            "Agents see these definitions within a second. Later changes by the server "
            "are in quarantine until they are approved.",
        ),
        subject=f"server:{server}",
        tell=tell,
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
        said=f"Signed: {what} approved.",
    )


def _record_approval(
    desk: "StoreCache",
    store: "EvidenceStore",
    who: StatementSigner,
    what: tuple[str, ApprovalSelection, frozenset[PersonId]],
    now: int,
) -> DefinitionApproval:
    """Record the approval, then pin it, under the lock of the pin file."""
    server, chosen, allowed = what
    inventory, said = desk.current_view().inventory, list[DefinitionApproval]()

    def approve_now(known: ServerPins) -> ServerPins | None:
        if not is_current(known, chosen):
            return None
        word = flow.approve_definitions(
            store, inventory, server, chosen, who, approvers=allowed, now=now
        )
        said.append(word)
        return apply_approval(known, chosen, word)

    if gateway_pin_files(desk).change(server, approve_now) is None:
        raise UsageError(
            f"the definitions of {server} have changed since they were shown", _AGAIN
        )
    return said[0]
