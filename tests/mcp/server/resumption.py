"""Where the test server keeps events, so that a stream can be resumed."""

from dataclasses import dataclass, field

import mcp_types as types
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore


@dataclass
class Kept(EventStore):
    """Every event so far, in order; an event's id is its place."""

    events: list[tuple[str, types.JSONRPCMessage | None]] = field(default_factory=list)

    async def store_event(
        self, stream_id: str, message: types.JSONRPCMessage | None
    ) -> str:
        self.events.append((stream_id, message))
        return str(len(self.events) - 1)

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        if not last_event_id.isdecimal() or int(last_event_id) >= len(self.events):
            return None
        last = int(last_event_id)
        stream, _ = self.events[last]
        for number, (of, message) in enumerate(self.events[last + 1 :], last + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream
