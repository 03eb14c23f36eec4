"""Parse `sources`, `schedule`, `collector` and `watch`: scheduled runs and tasks."""

import re
from collections.abc import Iterator
from dataclasses import replace

from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.connectors.config.parse.listeners import (
    read_listeners,
    read_optional_listeners,
)
from answerable.model.collection import (
    WATCH_DEPLOYED,
    CollectionSchedule,
    CollectorConfig,
    ConfiguredSource,
    LogSender,
    parse_maintenance_task,
)

DEFAULT_ADDRESS = "127.0.0.1:8474"
DEFAULT_RECEIVE_ADDRESS = "127.0.0.1:4318"  # the port of OTLP/HTTP
RECEIVED_SOURCES = ("otel", "k8s-audit")

_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,40}(:[^\x00-\x1f]*)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MAX_JITTER = 60  # seconds, where the file says none
_JITTER_SHARE = 10  # so is a tenth of `every` the most
_FOLLOW_SECONDS = 10  # between two scans of a followed log
_DAY = 86_400
_MAX_INTERVAL = 31 * _DAY


def read_sources(file: ConfigSection) -> tuple[ConfiguredSource, ...]:
    """Read `sources`, each with its schedule; the names are checked on use."""
    section = file.read_section("schedule")
    default = _read_schedule(section, CollectionSchedule())
    section.report_unknown_keys()
    found: dict[str, ConfiguredSource] = {}
    for item in file.read_section_list("sources", "source"):
        source = item.read_text("source", None)
        schedule = _read_schedule(item, default, follow=item.read_flag("follow"))
        silent = item.read_seconds("silent_after", 0, 1, _MAX_INTERVAL)
        schedule = replace(schedule, silent_after=silent)
        item.report_unknown_keys()
        if source and not _SOURCE.fullmatch(source):
            item.report_fault("source", "expected NAME or NAME:LOCATION")
        if source in found:
            item.report_fault("source", "listed twice")
        found[source] = ConfiguredSource(source, schedule)
    return tuple(found.values())


def read_collector(
    file: ConfigSection, folder: str, *, insecure: bool
) -> CollectorConfig:
    """Read the sections `collector`, which has defaults, and `watch`."""
    section = file.read_section("collector")
    collector = CollectorConfig(
        listen=read_listeners(
            section, "listen", folder, DEFAULT_ADDRESS, insecure=insecure
        ),
        parallel=section.read_number("parallel", CollectorConfig.parallel, 1, 16),
        senders=tuple(
            _read_sender(name, each)
            for name, each in section.read_named_sections("senders")
        ),
        maintenance=tuple(_read_maintenance(section)),
        deployed=_read_watch(file),
        tiles=read_optional_listeners(section, "tiles", folder, insecure=insecure),
    )
    if collector.senders or section.has_key("receive"):
        receive = read_listeners(
            section, "receive", folder, DEFAULT_RECEIVE_ADDRESS, insecure=insecure
        )
        collector = replace(collector, receive=receive)
    section.report_unknown_keys()
    return collector


def _read_watch(file: ConfigSection) -> CollectionSchedule:
    """Read when permissions in force are compared; False for never."""
    watch = file.read_section("watch")
    section = watch.read_section("deployed")
    schedule = _read_schedule(section, CollectionSchedule())
    section.report_unknown_keys()
    if watch.has_key("deployed") and not schedule:
        section.report_fault("", "every or at is missing")
    watch.report_unknown_keys()
    return schedule


def _read_maintenance(
    section: ConfigSection,
) -> Iterator[tuple[str, CollectionSchedule]]:
    """Yield each task of the store with its own schedule."""
    found = set()
    for item in section.read_section_list("maintenance"):
        task = item.read_text("task", None)
        schedule = _read_schedule(item, CollectionSchedule())
        item.report_unknown_keys()
        parsed = parse_maintenance_task(task) if task else None
        if task and (parsed is None or parsed.kind == WATCH_DEPLOYED):
            item.report_fault(
                "task",
                "expected checkpoint:DESTINATION, compact, verify, verify-full or "
                "retain:DAYS[,source=NAME]",
            )
        if task in found:
            item.report_fault("task", "listed twice")
        if not schedule:
            item.report_fault("", "every or at is missing")
        found.add(task)
        yield task, schedule


def _read_sender(name: str, section: ConfigSection) -> LogSender:
    """Read one sender of log records."""
    source = section.read_text("source", None)
    if source not in RECEIVED_SOURCES and section.has_key("source"):
        section.report_fault("source", f"expected {' or '.join(RECEIVED_SOURCES)}")
    sender = LogSender(
        name=name,
        source=source,
        cluster=section.read_text("cluster"),
        tokens=section.read_texts("token_sha256"),
        certificates=section.read_texts("certificate_sha256"),
        agents=section.read_texts("agents"),
        silent_after=section.read_seconds("silent_after", 0, 1, _MAX_INTERVAL),
    )
    for key in ("token_sha256", "certificate_sha256"):
        section.check_texts(
            key,
            lambda text: _SHA256.fullmatch(text) is not None,
            "expected SHA-256 in lower-case hex, 64 digits",
        )
    if not sender.tokens and not sender.certificates:
        section.report_fault("", "token_sha256 or certificate_sha256 is missing")
    if bool(sender.cluster) != (source == "k8s-audit"):
        section.report_fault("cluster", "required for k8s-audit, and only there")
    if sender.agents and source != "otel":
        section.report_fault("agents", "expected only for a sender of otel")
    section.report_unknown_keys()
    return sender


def _read_schedule(
    section: ConfigSection, default: CollectionSchedule, *, follow: bool = False
) -> CollectionSchedule:
    """Read the keys of a schedule; one that is missing is the default's."""
    every = section.read_seconds("every", 0, 1, _MAX_INTERVAL)
    at = _read_times_of_day(section)
    if every and at:
        section.report_fault("at", "expected either every or at")
    if follow and (every or at):
        section.report_fault("follow", "expected either follow or a schedule")
    every = _FOLLOW_SECONDS if follow else every
    schedule = replace(default, every=every, at=at) if every or at else default
    longest = schedule.every // _JITTER_SHARE if schedule.every else _MAX_JITTER
    has_own = bool(every or at) or not default
    jitter = min(_MAX_JITTER, longest) if has_own else default.jitter
    return replace(
        schedule,
        follow=follow,
        jitter=section.read_seconds("jitter", jitter, 0, _DAY),
        deadline=section.read_seconds("deadline", default.deadline, 1, _DAY),
        retry=section.read_seconds("retry", default.retry, 1, _DAY),
    )


def _read_times_of_day(section: ConfigSection) -> tuple[int, ...]:
    """Read the times of day in `at`, as ascending seconds after midnight."""
    times = [_TIME_OF_DAY.fullmatch(text) for text in section.read_texts("at")]
    section.check_texts(
        "at",
        lambda text: _TIME_OF_DAY.fullmatch(text) is not None,
        "expected a time of day (UTC), in quotes: '02:30'",
    )
    return tuple(
        sorted({int(time[1]) * 3600 + int(time[2]) * 60 for time in times if time})
    )
