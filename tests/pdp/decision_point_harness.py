"""A decision point without sockets: requests go into its application as uvicorn's do."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from answerable.evidence.spool_format import parse_spool_line
from answerable.model.spool_record import DecisionRecord, SpoolRecord
from answerable.pdp.runtime.app import PdpApp
from answerable.pdp.runtime.settings import load_settings
from answerable.server.connection_info import ConnectionInfo, UnixPeer
from answerable.server.operator_log import OperatorLog
from answerable.server.store_access import create_store
from answerable.server.wire.host_check import ServedNames
from tests.federation.sample_tokens import EC, document, public
from tests.gateway.serve.running_gateway import configuration, token_of

Result = TypeVar("Result")

HOST = "pdp.example"
URL = f"https://{HOST}"
EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
SUBJECTS, RESOURCES, ACTIONS = (
    f"/access/v1/search/{what}" for what in ("subject", "resource", "action")
)
POSTED = (EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS)

ANA = {"type": "identity", "id": "ana"}
CALL = {"name": "tools/call"}
READ = {"type": "tool", "id": "tool:mcp/files/read"}
WRITE = {"type": "tool", "id": "tool:mcp/files/write"}
ALLOWED = {"subject": ANA, "action": CALL, "resource": READ}
DENIED = {"subject": ANA, "action": CALL, "resource": WRITE}
OF_SUBJECTS = {"subject": {"type": "identity"}, "action": CALL, "resource": READ}
OF_RESOURCES = {"subject": ANA, "action": CALL, "resource": {"type": "tool"}}
OF_ACTIONS = {"subject": ANA, "resource": READ}
ASKED = dict(
    zip(POSTED, (ALLOWED, ALLOWED, OF_SUBJECTS, OF_RESOURCES, OF_ACTIONS), strict=True)
)
POINT = {
    "url": URL,
    "callers": [
        {"issuer": "corp", "sub": "pep"},
        {"issuer": "corp", "sub": "narrow", "servers": ["files"]},
        {"unix": {"uid": 4711}},
    ],
}


@dataclass
class HarnessAnswer:
    """One answer."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        """Its JSON."""
        return json.loads(self.body)

    @property
    def decision(self) -> bool:
        """The decision of one evaluation."""
        assert self.status == 200, (self.status, self.body)
        return self.said["decision"]  # type: ignore[no-any-return]


def settings(**more: Any) -> dict[str, Any]:
    return configuration(9, decisions=POINT) | more


@dataclass
class DecisionPointHarness:
    """A decision point, put together and asked within one loop."""

    folder: Path
    loop: asyncio.AbstractEventLoop
    house: PdpApp

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    def ask(
        self,
        path: str = EVALUATION,
        said: Any = None,
        *,
        who: str = "pep",
        method: str = "POST",
        peer: UnixPeer | None = None,
        **fields: str | None,
    ) -> HarnessAnswer:
        """Send one request; a field that is None is left out."""
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        named: dict[str, str | None] = {
            "host": HOST,
            "content-type": "application/json",
            "authorization": f"Bearer {token_of(who)}" if who else None,
        }
        named |= {name.replace("_", "-"): value for name, value in fields.items()}
        pairs = [
            (name.encode(), value.encode("latin-1"))
            for name, value in named.items()
            if value is not None
        ]
        link = ConnectionInfo(peer=peer, url="" if peer else URL)
        return self.run(self._asked(path, method, body, pairs, link))

    def evaluate(self, **said: Any) -> bool:
        """Give the decision on what differs from what is allowed."""
        return self.ask(EVALUATION, ALLOWED | said).decision

    def swap(self, changed: dict[str, Any]) -> None:
        """Put another file in force, as SIGHUP does."""
        self.run(self.house.reload(self.plan(changed)))

    def plan(self, said: dict[str, Any]) -> Any:
        place = self.folder / "answerable.yaml"
        place.write_text(json.dumps(said))
        return load_settings(str(place), None, self.folder / "store")

    def records(self) -> list[SpoolRecord]:
        """What is in the spool, once all of it is there."""
        journal = self.house._recorder.journal
        spool = self.folder / "store/decisions/spool"
        for _ in range(250):
            lines = _lines(spool / journal.name)
            if len(lines) >= journal.recorded:
                others = [
                    each for each in spool.glob("pdp-*") if each.name != journal.name
                ]
                before = [line for each in others for line in _lines(each)]
                return [parse_spool_line(line)[0] for line in before + lines]
            self.run(asyncio.sleep(0.02))
        raise AssertionError("the spool is behind")

    def decided(self) -> list[DecisionRecord]:
        return [each for each in self.records() if isinstance(each, DecisionRecord)]

    async def _asked(
        self,
        path: str,
        method: str,
        body: bytes,
        fields: list[tuple[bytes, bytes]],
        link: ConnectionInfo,
    ) -> HarnessAnswer:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": fields,
            "client": None,
            "server": None,
            "state": {"link": link, "served": ServedNames(frozenset({HOST}))},
        }
        heard: list[dict[str, Any]] = []
        sent = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return sent.pop(0) if sent else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            heard.append(message)

        await self.house.app(scope, receive, send)
        named = {n.decode(): v.decode("latin-1") for n, v in heard[0]["headers"]}
        whole = b"".join(each.get("body", b"") for each in heard[1:])
        return HarnessAnswer(heard[0]["status"], named, whole)


def _lines(folder: Path) -> list[bytes]:
    data = b"".join(each.read_bytes() for each in sorted(folder.glob("*.jsonl")))
    return [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


@contextmanager
def deciding(
    folder: Path, said: dict[str, Any] | None = None
) -> Iterator[DecisionPointHarness]:
    """Put a decision point together until the block ends."""
    (folder / "keys.json").write_bytes(document(public(EC, kid="k1")))
    loop = asyncio.new_event_loop()
    point = DecisionPointHarness(folder, loop, None)  # type: ignore[arg-type]
    create_store(folder / "store")
    plan = point.plan(settings() if said is None else said)

    async def made() -> PdpApp:
        return PdpApp(plan, OperatorLog("decisions"))

    point.house = point.run(made())
    try:
        yield point
    finally:
        point.run(point.house.close())
        loop.close()
