"""List the effects of a revocation: what has ended, and what continues until when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from answerable.model.config import Config
from answerable.model.documents.inventory import CredentialItem
from answerable.model.documents.revocation import RevocationEffectItem
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.ids import AgentId
from answerable.model.inventory import Inventory
from answerable.presentation.answer_coverage import (
    build_empty_coverage,
    build_list_coverage,
)
from answerable.presentation.credential_revocation import revocation_effect
from answerable.presentation.inventory_items import build_credential_item, format_time
from answerable.server.revocation_service import GATEWAY, SERVICE, RevocationResult
from answerable.services.federation.issued_token_verification import MAX_TOKEN_LIFETIME
from answerable.store.issued_credentials import IssuedCredentialRecord

KILL_ACT, REVIVE_ACT, DRY_RUN_ACT = "kill", "revive", "dry-run"
ELSEWHERE = "servers that verify tokens themselves"
PLATFORM = "its platform"
BROKER = "aws exec, credential-process"
_PLATFORM_NAMES = {"aws": "AWS", "kubernetes": "Kubernetes", "github": "GitHub"}
# How to end an issued credential before it expires, and what else that ends.
_EARLIER_ENDS = {
    "aws": "only a deny policy ends it earlier, and it ends every session of the same "
    "identity",
    "kubernetes": "only the deletion of its service account ends it earlier",
    "github": "it ends earlier if the agent revokes it at GitHub with the token itself",
}
# Kinds of subjects with delegations on record.
_HOLD_TOKENS = ("agent:", "run:", "person:", "rule:", "issuer:")
_ITEM_NAMES = {GATEWAY: "calls", SERVICE: "new tokens"}
_NOT_SCANNED = "no scan is stored"
_NOT_FOUND = "the newest snapshot does not contain it"
_ONLY_DECLARED = "no scan describes this agent, only a configuration"
_CONFIG = "config:"


def describe_kill(result: RevocationResult) -> str:
    """Describe the state of a killed subject, for the command and the web page."""
    if not result.is_new:
        return "already killed"
    # It is not known when a waiting server will apply it.
    return "killed" if result.waits else "killed, within a second"


@dataclass(frozen=True, slots=True)
class RevocationAct:
    """Revocation of a subject, or its reinstatement.

    Attributes:
        kind: `KILL_ACT`, `REVIVE_ACT` or `DRY_RUN_ACT`.
        subject: Subject that is revoked or reinstated.
        done: Result of the operation.
        now: UTC nanoseconds.
    """

    kind: str
    subject: str
    done: RevocationResult
    now: int

    def build_effect_item(
        self,
        affected: str,
        location: str,
        state: str,
        *,
        until: str | None = None,
        count: int | None = None,
        id: str | None = None,
        note: str = "",
    ) -> RevocationEffectItem:
        """Build one item of the `kill` document."""
        return {
            "act": self.kind,
            "subject": self.subject,
            "what": affected,
            "where": location,
            "state": state,
            "until": until,
            "count": count,
            "id": id,
            "note": note,
        }


def list_revocation_effects(
    operation: RevocationAct,
    config: Config | None,
    inventory: Inventory | None,
    issued: Sequence[IssuedCredentialRecord] = (),
) -> Document:
    """List what a revocation has ended, and what remains valid until when.

    Args:
        operation: The revocation.
        config: The configuration; None without one.
        inventory: Newest snapshot; None where the store could not be read.
        issued: Credentials that agents got under credential policies.
    """
    items = list(_list_server_effects(operation))
    items += _list_issued_credential_effects(operation, issued)
    if operation.kind != REVIVE_ACT:
        items += _list_token_effects(operation, config)
        items += _list_unaffected_credentials(operation, inventory)
    return Document("kill", items, _build_coverage(operation, inventory))


def _build_coverage(
    operation: RevocationAct, inventory: Inventory | None
) -> CoverageRecord:
    """Build the coverage record: what the inventory does not contain."""
    covered = build_empty_coverage()
    if inventory is not None and inventory.coverage:
        covered = build_list_coverage("credentials", inventory, operation.now)
    elif _is_inventory_subject(operation.subject):
        covered["not_collected"] = ["ambient-credentials"]
    # Gaps of a scan do not make the revocation itself partial.
    covered["partial"] = False
    return covered


def _list_server_effects(operation: RevocationAct) -> Iterator[RevocationEffectItem]:
    """Yield the effect at each server: ended, pending or refused."""
    done, back = operation.done, operation.kind == REVIVE_ACT
    for where in (GATEWAY, SERVICE):
        if where in done.at:
            waits = where in done.waiting
            state = "revived" if back else "waiting" if waits else "dead"
            note = "no running server reads the kill" if waits else ""
            yield operation.build_effect_item(
                _ITEM_NAMES[where], where, state, note=note
            )
    for each in done.refused:
        where, _, why = each.partition(": ")
        yield operation.build_effect_item(
            _ITEM_NAMES.get(where, "calls"), where, "refused", note=why
        )


def _list_token_effects(
    operation: RevocationAct, config: Config | None
) -> Iterator[RevocationEffectItem]:
    """Yield the effect on delegations and tokens that were issued before."""
    done, subject = operation.done, operation.subject
    service = None if config is None else config.sts
    if service is None or not subject.startswith(_HOLD_TOKENS):
        return
    if done.ended is not None:
        yield operation.build_effect_item(
            "delegations", SERVICE, "dead", count=len(done.ended)
        )
    elif not subject.startswith("issuer:"):
        yield operation.build_effect_item(
            "delegations",
            SERVICE,
            "not-known",
            note="the token service did not report its delegations",
        )
    if done.ended == () and not subject.startswith("issuer:"):
        return
    until = format_time(operation.now + _max_token_lifetime(config) * 10**9)
    note = "at most; servers that query /introspect refuse immediately"
    yield operation.build_effect_item(
        "tokens given before", ELSEWHERE, "lives", until=until, note=note
    )
    known = done.ended is not None or subject.startswith("agent:")
    if config is not None and config.servers and not known:
        yield operation.build_effect_item(
            "tokens given before", GATEWAY, "lives", until=until, note="at most"
        )


def _list_issued_credential_effects(
    operation: RevocationAct, issued: Sequence[IssuedCredentialRecord]
) -> Iterator[RevocationEffectItem]:
    """Yield that no further credential is issued, and each one that still works."""
    own = [each for each in issued if each.is_subject(operation.subject)]
    if not own:
        return
    if operation.kind == REVIVE_ACT:
        yield operation.build_effect_item("new credentials", BROKER, "revived")
        return
    yield operation.build_effect_item("new credentials", BROKER, "dead")
    for each in own:
        if each.until > operation.now:
            note = f"of {each.agent}" + (f", run {each.run}" if each.run else "")
            yield operation.build_effect_item(
                "issued credential",
                _PLATFORM_NAMES.get(each.platform, PLATFORM),
                "lives",
                until=format_time(each.until),
                id=each.id,
                note=f"{note}: {_EARLIER_ENDS.get(each.platform, '')}",
            )


def _max_token_lifetime(config: Config | None) -> int:
    """Return the maximum lifetime of a token of any rule, in seconds."""
    rules = () if config is None else config.rules
    return max(
        (grant.ttl for rule in rules for grant in rule.grants),
        default=MAX_TOKEN_LIFETIME,
    )


def _list_unaffected_credentials(
    operation: RevocationAct, inventory: Inventory | None
) -> Iterator[RevocationEffectItem]:
    """Yield the subject's credentials on other platforms, which stay valid."""
    if not _is_inventory_subject(operation.subject):
        return
    if inventory is None or not inventory.coverage:
        yield operation.build_effect_item(
            "credentials", PLATFORM, "not-known", note=_NOT_SCANNED
        )
        return
    declared = inventory.agents.get(AgentId(operation.subject))
    if declared is not None and declared.agent.seen.source.startswith(_CONFIG):
        yield operation.build_effect_item(
            "credentials", PLATFORM, "not-known", note=_ONLY_DECLARED
        )
        return
    if operation.subject not in {*inventory.agents, *inventory.credentials}:
        yield operation.build_effect_item(
            "credentials", PLATFORM, "not-known", note=_NOT_FOUND
        )
        return
    for each in _find_credentials(operation.subject, inventory):
        after = revocation_effect(each["kind"])
        users = ", ".join(a for a in each["agents"] if a != operation.subject)
        note = f"to revoke it: {after.end}; remains valid: {after.lives}"
        yield operation.build_effect_item(
            f"credential {each['kind']}",
            PLATFORM,
            "lives",
            until=each["expires_at"],
            id=each["id"],
            note=f"{note}; also used by {users}" if users else note,
        )


def _is_inventory_subject(subject: str) -> bool:
    """Return whether a revoked subject is an agent or credential of the inventory."""
    return subject.startswith(("agent:", "cred:"))


def _find_credentials(subject: str, inventory: Inventory) -> Sequence[CredentialItem]:
    """List the credentials of an agent's tools, or the one that is the subject."""
    if subject.startswith("cred:"):
        wanted = {subject}
    else:
        agent = inventory.agents.get(AgentId(subject))
        uses = () if agent is None else agent.tools
        wanted = {str(each) for use in uses for each in use.credentials}
    return [
        build_credential_item(inventory, entity)
        for key, entity in sorted(inventory.credentials.items())
        if key in wanted
    ]
