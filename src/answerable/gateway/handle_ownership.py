"""Check that tasks, `requestState` and request ids are used by their owner only.

| handle | belongs to | known by |
|---|---|---|
| `requestState` | principal it was sent to | server, method, name, digest |
| task | principal it was created for | server, digest |
| request of a server (2025-11-25 and before) | principal it was sent to | server, session, id |
| request in flight | its sender | server, session, id |

Another principal's handle is denied in every mode. A handle without a known owner is
denied where the agent's mode enforces.
"""

from dataclasses import replace

from answerable.gateway.handle_registry import HandleKey, HandleOwner, HandleRegistry
from answerable.gateway.wire.server_messages import ServerMessage
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    EnforcementMode,
    TargetKind,
)
from answerable.server.mcp.call import McpCall, sha256_hex
from answerable.server.mcp.messages import MessageKind

CANCELLED = "notifications/cancelled"


class HandleOwnershipTracker:
    """Tracker of one worker's handles; denies calls that use another principal's."""

    def __init__(self) -> None:
        self._owned = HandleRegistry()
        self._in_flight: set[HandleKey] = set()

    def register_call(self, caller: VerifiedCaller, call: McpCall) -> HandleKey | None:
        """Register an allowed call as in flight; return its key."""
        if call.kind is MessageKind.REQUEST:
            key = _request_id_key(call, call.id, caller)
            self._in_flight.add(key)
            return key
        if call.kind is MessageKind.RESPONSE:
            self._owned.consume_single_use(
                _server_request_key(call, call.id), caller.principal
            )
        return None

    def unregister_call(self, key: HandleKey | None) -> None:
        """Remove a finished call from those in flight."""
        if key is not None:
            self._in_flight.discard(key)

    def register_answer_handles(
        self, caller: VerifiedCaller, call: McpCall, answer: ServerMessage
    ) -> None:
        """Register the task and state handles of an answer as the caller's own."""
        if answer.state:
            self._owned.add(_request_state_key(call, answer.state), caller.principal)
        if answer.task:
            self._owned.add(("task", call.server, answer.task), caller.principal)

    def register_server_request(
        self, caller: VerifiedCaller, call: McpCall, id: str | int | None
    ) -> None:
        """Register a server-sent request, so that only this caller may answer it."""
        self._owned.add(_server_request_key(call, id), caller.principal)

    def deny_foreign_handle(
        self, caller: VerifiedCaller, call: McpCall, decision: Decision
    ) -> Decision:
        """Deny a call that uses another principal's handle, or an unknown one."""
        if not decision.passes or _carries_no_handle(call):
            return decision
        for whose in self._find_owners(caller, call):
            if whose is not HandleOwner.ITS_OWN:
                held = (
                    whose is HandleOwner.ANOTHERS
                    or decision.mode is EnforcementMode.ENFORCE
                )
                if not held and decision.effect is not DecisionEffect.ALLOW:
                    # A made-up state does not hide another reason.
                    return decision
                return replace(
                    decision,
                    effect=DecisionEffect.DENY,
                    passes=not held,
                    reason=DecisionReason.NOT_ITS_OWN,
                    determining=(),
                    layer=DecisionLayer.OWNERSHIP,
                )
        return decision

    def _find_owners(self, caller: VerifiedCaller, call: McpCall) -> list[HandleOwner]:
        """List the owner of each handle that a call uses."""
        found = []
        principal = caller.principal
        if call.state:
            found.append(
                self._owned.find_owner(_request_state_key(call, call.state), principal)
            )
        if call.target is TargetKind.TASK:
            found.append(self._find_task_owner(caller, call, call.name))
        found += [
            self._find_task_owner(caller, call, each.name)
            for each in call.watched
            if each.target is TargetKind.TASK
        ]
        if call.kind is MessageKind.RESPONSE:
            found.append(
                self._owned.find_owner(_server_request_key(call, call.id), principal)
            )
        elif call.method == CANCELLED and call.about is not None:
            is_own = _request_id_key(call, call.about, caller) in self._in_flight
            found.append(HandleOwner.ITS_OWN if is_own else HandleOwner.UNKNOWN)
        return found

    def _find_task_owner(
        self, caller: VerifiedCaller, call: McpCall, task: str
    ) -> HandleOwner:
        """Return whether a task is the caller's, another's, or unknown."""
        return self._owned.find_owner(
            ("task", call.server, sha256_hex(task)), caller.principal
        )


def _carries_no_handle(call: McpCall) -> bool:
    """Return whether a call is a tool call without handles, as most are."""
    return (
        call.target is TargetKind.TOOL
        and call.kind is MessageKind.REQUEST
        and not (call.state or call.watched)
    )


# Names and ids may be long: what is stored by the thousand is stored as a digest.


def _request_state_key(call: McpCall, state: str) -> HandleKey:
    """Build the registry key of a `requestState` value."""
    # Of these a name alone may hold a line end, and what follows it has 64 digits.
    return ("state", sha256_hex(f"{call.server}\n{call.method}\n{call.name}\n{state}"))


def _server_request_key(call: McpCall, id: str | int | None) -> HandleKey:
    """Build the registry key of a request that the server sent."""
    # 1 and "1" are two ids.
    return ("question", sha256_hex(f"{call.server}\n{call.session}\n{id!r}"))


def _request_id_key(
    call: McpCall, id: str | int | None, caller: VerifiedCaller
) -> HandleKey:
    """Build the registry key of a client request in flight."""
    return (caller.principal, call.server, call.session, repr(id))
