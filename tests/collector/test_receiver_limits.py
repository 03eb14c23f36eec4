"""Client certificates of senders, and deliveries that cannot be stored now."""

import asyncio
import hashlib
import http.client
import json
import ssl
from pathlib import Path

import pytest

from answerable.collector.receivers import record_writer
from answerable.collector.receivers.record_writer import (
    Delivery,
    QueueFullError,
    RecordWriter,
)
from answerable.collector.receivers.request_body import (
    MAX_HELD_PER_SENDER,
    BodyBudget,
    DeliveryRefusedError,
)
from answerable.server.operator_log import OperatorLog
from tests.authority import Authority, Issued
from tests.collector.running_collector import collecting
from tests.collector.test_receivers import SETTINGS, make_span, make_traces, post


def test_a_sender_is_known_by_its_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, known, other = (authority.issue(each) for each in ("server", "a", "b"))
    settings = json.loads(json.dumps(SETTINGS))
    section = settings["collector"]
    section["receive"][0]["tls"] = {
        "certificate": str(server.certificate),
        "key": str(server.key),
        "client_ca": str(authority.root.certificate),
    }
    digest = hashlib.sha256(known.der).hexdigest()
    section["senders"]["build-farm"]["certificate_sha256"] = [digest]
    with collecting(tmp_path, settings) as running:
        where = running.receiver.removeprefix("https://")

        def deliver(client: Issued | None) -> int:
            context = ssl.create_default_context(cafile=str(authority.root.certificate))
            if client is not None:
                context.load_cert_chain(client.certificate, client.key)
            connection = http.client.HTTPSConnection(where, context=context, timeout=60)
            body, fields = (
                make_traces(make_span(1)),
                {"content-type": "application/json"},
            )
            try:
                connection.request("POST", "/v1/traces", body, fields)
                return connection.getresponse().status
            finally:
                connection.close()

        assert [deliver(each) for each in (known, other, None)] == [200, 401, 401]


def test_a_delivery_that_cannot_be_stored_is_retried(tmp_path: Path) -> None:
    with collecting(tmp_path, SETTINGS) as running:
        assert post(running.receiver, "/v1/traces", make_traces(make_span(1)))[0] == 200
        log = tmp_path / "store" / "journal"
        running.process.poll()
        kept = log.rename(tmp_path / "kept")
        log.write_bytes(b"")
        body = make_traces(*(make_span(n) for n in range(2, 4)))
        (tmp_path / "store" / "log").rename(tmp_path / "log")
        status, fields, _ = post(running.receiver, "/v1/traces", body)
        assert (status, fields["retry-after"]) == (503, "5")
        running.hear("receiver.not-stored")
        log.unlink()
        kept.rename(log)
        (tmp_path / "log").rename(tmp_path / "store" / "log")
        assert post(running.receiver, "/v1/traces", body)[0] == 200


def test_the_queue_of_deliveries_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_writer, "MAX_QUEUED", 2)

    async def fill_queue() -> None:
        writer = RecordWriter(tmp_path / "store", OperatorLog("test"))
        delivery = Delivery("otel", "otel:sender/a", {}, list)
        waiting = [asyncio.create_task(writer.write(delivery)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await writer.write(delivery)
        running = asyncio.create_task(writer.run_forever())
        assert [each.invalid for each in await asyncio.gather(*waiting)] == ["", ""]
        running.cancel()
        await writer.close()

    asyncio.run(fill_queue())


def test_one_sender_cannot_hold_all_memory_for_bodies() -> None:
    budget = BodyBudget()
    with budget.reserve("a") as first, budget.reserve("b") as second:
        first.grow(MAX_HELD_PER_SENDER)
        with pytest.raises(DeliveryRefusedError) as refused:
            first.grow(1)
        assert refused.value.status == 429
        second.grow(1000)
    assert budget.total == 0
