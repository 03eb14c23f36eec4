"""Ownership checks for tasks, `requestState`, server requests and requests in flight.

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

from answerable.gateway.handle_registry import Key, Owned, Whose
from answerable.gateway.wire.server_messages import Answer
from answerable.model.caller import Caller
from answerable.model.decision import Decision, Effect, Layer, Mode, Reason, Target
from answerable.server.mcp.call import Call, digest
from answerable.server.mcp.messages import Kind

CANCELLED = "notifications/cancelled"


class Ownership:
    """Tracker of one worker's handles; denies calls that use another principal's."""

    def __init__(self) -> None:
        self._owned = Owned()
        self._in_flight: set[Key] = set()

    def begin(self, caller: Caller, call: Call) -> Key | None:
        """Register a call that goes on; return its key while it is in flight."""
        if call.kind is Kind.REQUEST:
            key = _id_key(call, call.id, caller)
            self._in_flight.add(key)
            return key
        if call.kind is Kind.RESPONSE:
            self._owned.take(_question_key(call, call.id), caller.principal)
        return None

    def end(self, key: Key | None) -> None:
        """Remove a call from those in flight."""
        if key is not None:
            self._in_flight.discard(key)

    def answered(self, caller: Caller, call: Call, answer: Answer) -> None:
        """Register the handles in an answer."""
        if answer.state:
            self._owned.give(_state_key(call, answer.state), caller.principal)
        if answer.task:
            self._owned.give(("task", call.server, answer.task), caller.principal)

    def asked(self, caller: Caller, call: Call, id: str | int | None) -> None:
        """Register a request that a server sends to its client."""
        self._owned.give(_question_key(call, id), caller.principal)

    def decide(self, caller: Caller, call: Call, decision: Decision) -> Decision:
        """Deny a call that uses another principal's handle, or an unknown one."""
        if not decision.passes or _is_first_leg(call):
            return decision
        for whose in self._whose(caller, call):
            if whose is not Whose.ITS_OWN:
                held = whose is Whose.ANOTHERS or decision.mode is Mode.ENFORCE
                if not held and decision.effect is not Effect.ALLOW:
                    # A made-up state does not hide another reason.
                    return decision
                return replace(
                    decision,
                    effect=Effect.DENY,
                    passes=not held,
                    reason=Reason.NOT_ITS_OWN,
                    determining=(),
                    layer=Layer.OWNERSHIP,
                )
        return decision

    def _whose(self, caller: Caller, call: Call) -> list[Whose]:
        """List the owner of each handle that a call uses."""
        found = []
        principal = caller.principal
        if call.state:
            found.append(self._owned.whose(_state_key(call, call.state), principal))
        if call.target is Target.TASK:
            found.append(self._whose_task(caller, call, call.name))
        found += [
            self._whose_task(caller, call, each.name)
            for each in call.watched
            if each.target is Target.TASK
        ]
        if call.kind is Kind.RESPONSE:
            found.append(self._owned.whose(_question_key(call, call.id), principal))
        elif call.method == CANCELLED and call.about is not None:
            is_own = _id_key(call, call.about, caller) in self._in_flight
            found.append(Whose.ITS_OWN if is_own else Whose.UNKNOWN)
        return found

    def _whose_task(self, caller: Caller, call: Call, task: str) -> Whose:
        return self._owned.whose(("task", call.server, digest(task)), caller.principal)


def _is_first_leg(call: Call) -> bool:
    """Tell whether a call is a tool call without handles, as most are."""
    return (
        call.target is Target.TOOL
        and call.kind is Kind.REQUEST
        and not (call.state or call.watched)
    )


# Names and ids may be long: what is stored by the thousand is stored as a digest.


def _state_key(call: Call, state: str) -> Key:
    # Of these a name alone may hold a line end, and what follows it has 64 digits.
    return ("state", digest(f"{call.server}\n{call.method}\n{call.name}\n{state}"))


def _question_key(call: Call, id: str | int | None) -> Key:
    # 1 and "1" are two ids.
    return ("question", digest(f"{call.server}\n{call.session}\n{id!r}"))


def _id_key(call: Call, id: str | int | None, caller: Caller) -> Key:
    return (caller.principal, call.server, call.session, repr(id))
