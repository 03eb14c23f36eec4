"""`sources`, `schedule` and `collector` of the configuration."""

import pytest

from answerable.model.collection import CollectionSchedule, LogSender
from answerable.model.config import Config
from tests.connectors.config.readings import faults, read


def config(text: str) -> Config:
    reading = read(text)
    assert reading.faults == ()
    assert reading.config is not None
    return reading.config


def test_a_text_is_a_source_without_a_schedule() -> None:
    (source,) = config("sources: [home:~]\n").sources
    assert source.source == "home:~"
    assert not source.schedule
    assert not config("sources: [home:~]\n").has_scheduled_source


def test_the_section_schedule_is_the_default_of_each_source() -> None:
    read = config(
        "sources:\n"
        "  - home:~\n"
        "  - source: cloudtrail:logs\n"
        "    every: 5m\n"
        "    deadline: 10m\n"
        "  - {source: 'aws-org:role/R', at: ['14:00', '02:30']}\n"
        "schedule: {every: 1h, retry: 10}\n"
    )
    home, logs, org = (each.schedule for each in read.sources)
    assert read.has_scheduled_source
    assert home == CollectionSchedule(3600, (), 60, 3600, 10)
    assert logs == CollectionSchedule(300, (), 30, 600, 10)
    assert org == CollectionSchedule(0, (9000, 50400), 60, 3600, 10)


def test_a_schedule_of_one_source_alone_is_one() -> None:
    read = config("sources:\n  - home:~\n  - {source: 'repo:.', every: 24h}\n")
    assert [bool(each.schedule) for each in read.sources] == [False, True]
    assert read.has_scheduled_source


def test_a_followed_log_is_scanned_every_ten_seconds() -> None:
    (log,) = config("sources: [{source: 'okta:logs', follow: true}]\n").sources
    assert log.schedule == CollectionSchedule(10, (), 1, 3600, 30, follow=True)


def test_senders_have_a_listener_of_their_own() -> None:
    collector = config(
        "collector:\n"
        "  senders:\n"
        f"    farm: {{source: otel, token_sha256: ['{'a' * 64}'], agents: [bot]}}\n"
        f"    prod: {{source: k8s-audit, cluster: p, certificate_sha256: ['{'b' * 64}'],"
        " silent_after: 10m}\n"
    ).collector
    assert str(collector.receive[0].address) == "127.0.0.1:4318"
    farm, prod = collector.senders
    assert farm == LogSender("farm", "otel", tokens=("a" * 64,), agents=("bot",))
    assert (prod.cluster, prod.silent_after) == ("p", 600)
    assert prod.certificates == ("b" * 64,)
    assert config("collector: {parallel: 1}\n").collector.receive == ()


@pytest.mark.parametrize(
    ("sender", "says"),
    [
        ("source: okta", "expected otel or k8s-audit"),
        ("source: otel", "token_sha256 or certificate_sha256 is missing"),
        ("source: otel, token_sha256: [secret]", "expected SHA-256 in lower-case hex"),
        ("source: k8s-audit", "cluster: required for k8s-audit, and only there"),
        (
            "source: k8s-audit, cluster: c, agents: [a]",
            "expected only for a sender of otel",
        ),
        ("token_sha256: []", "source is missing"),
    ],
)
def test_a_sender_needs_a_source_and_a_credential(sender: str, says: str) -> None:
    found = faults(f"collector: {{senders: {{a: {{{sender}}}}}}}\n")
    assert any(says in each for each in found), found
    assert not any("secret" in each for each in found)


def test_jitter_may_be_none() -> None:
    read = config("sources: [home:~]\nschedule: {every: 10s, jitter: 0}\n")
    assert read.sources[0].schedule.jitter == 0


def test_the_collector_listens_on_loopback_by_default() -> None:
    (listener,) = config("sources: [home:~]\n").collector.listen
    assert str(listener.address) == "127.0.0.1:8474"
    assert config("collector: {parallel: 4}\n").collector.parallel == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "sources: [{source: 'okta:logs', follow: true, every: 5m}]\n",
            "1:41 sources[0].follow: expected either follow or a schedule",
        ),
        (
            "sources: [{source: 'home:~', evry: 1h}]\n",
            "1:30 sources[0]: unknown key 'evry'; did you mean every?",
        ),
        (
            "schedule: {evry: 1h}\n",
            "1:12 schedule: unknown key 'evry'; did you mean every?",
        ),
        (
            "collector:\n  listn: []\n",
            "2:3 collector: unknown key 'listn'; did you mean listen?",
        ),
        ("sources: [{every: 1h}]\n", "1:11 sources[0]: source is missing"),
        (
            "sources: [home:a, home:a]\n",
            "1:19 sources[1].source: listed twice",
        ),
        ("sources: [5]\n", "1:11 sources[0]: expected a mapping"),
        (
            "schedule: {every: 1h, at: ['02:00']}\n",
            "1:27 schedule.at: expected either every or at",
        ),
        (
            "schedule: {at: ['25:00']}\n",
            "1:17 schedule.at: expected a time of day (UTC), in quotes: '02:30'",
        ),
        (
            "schedule: {every: soon}\n",
            "1:19 schedule.every: expected whole seconds, or a duration such as 10m",
        ),
        (
            "schedule: {retry: 0}\n",
            "1:19 schedule.retry: expected 1 to 86400 seconds",
        ),
        (
            "collector: {listen: [{address: '192.0.2.1:80'}]}\n",
            "1:32 collector.listen[0].address: outside loopback, requires tls or "
            "listen.insecure: true",
        ),
    ],
)
def test_a_fault_has_its_place_and_the_nearest_spelling(text: str, says: str) -> None:
    assert faults(text)[0] == says
