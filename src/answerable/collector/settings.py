"""Load the settings of the collector: configuration, store, and scheduled sources."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors import registry
from answerable.connectors.checkpoint_destinations import resolve_destination
from answerable.connectors.config.fetch import read_config_file
from answerable.connectors.config.parse.config_faults import ConfigError, ConfigFault
from answerable.connectors.config.parse.config_file import ConfigReading
from answerable.connectors.user_path import find_home_folder
from answerable.model.collection import (
    WATCH_DEPLOYED,
    CollectionSchedule,
    parse_maintenance_task,
)
from answerable.model.config import Config
from answerable.model.errors import UsageError
from answerable.server.restart_only_settings import (
    require_valid_config,
    resolve_store_folder,
)
from answerable.server.tls import without_tls_files
from answerable.services.inventory.scan_sources import (
    find_source_capability,
    parse_sources,
)

STATE_FOLDER = "collector"  # in the store: a store has one collector


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """Settings from one reading of the configuration file.

    Attributes:
        config: The configuration.
        reading: Parse result with faults.
        store: Folder of the store.
        schedules: Schedule of each scheduled source, `NAME:LOCATION`.
        tasks: Schedule of each maintenance task.
    """

    config: Config
    reading: ConfigReading
    store: Path
    schedules: Mapping[str, CollectionSchedule]
    tasks: Mapping[str, CollectionSchedule]

    @property
    def runs(self) -> Mapping[str, CollectionSchedule]:
        """Return the schedule of each source and task."""
        return {**self.schedules, **self.tasks}

    @property
    def state(self) -> Path:
        """Return the collector's own folder."""
        return self.store / STATE_FOLDER

    @property
    def has_valid_policy(self) -> bool:
        """Return True: policies do not concern the collector."""
        return True

    @property
    def restart_only_settings(self) -> Mapping[str, object]:
        """Return the settings whose change needs a restart, by name in the file."""
        collector = self.config.collector
        return {
            "collector.listen": without_tls_files(collector.listen),
            "collector.parallel": collector.parallel,
            "collector.receive": without_tls_files(collector.receive),
            "collector.tiles": without_tls_files(collector.tiles),
            "store": self.store,
        }


def load_settings(
    path: str, store: Path | None, default_store: Path | None
) -> CollectorSettings:
    """Load the settings.

    Args:
        path: The file.
        store: Store named on the command line, None without.
        default_store: Default store; None where no home directory is known.

    Raises:
        ConfigError: The file is invalid, or a scheduled source cannot be read by
            `scan` or `ingest`.
        UsageError: The file is missing, or no source has a schedule.
        EnvironmentFailure: It may not be read.
    """
    reading = read_config_file(path)
    config = require_valid_config(path, reading)
    if not config.needs_collector:
        raise UsageError(
            f"no source in {path} has a schedule, and there is no sender, task, watch "
            "or listener of tiles",
            "sources: [{source: 'home:~', every: 1h}]; see docs/collector.md",
        )
    faults: list[ConfigFault] = []
    schedules = dict(_resolve_sources(reading, config, faults))
    tasks = dict(_resolve_tasks(config))
    if faults:
        raise ConfigError(config.place, tuple(faults))
    root = resolve_store_folder(config, store, default_store)
    return CollectorSettings(config, reading, root, schedules, tasks)


def _resolve_tasks(config: Config) -> Iterator[tuple[str, CollectionSchedule]]:
    """Yield the maintenance tasks, with absolute destinations, and the watch.

    Raises:
        UsageError: A destination is malformed.
    """
    for name, schedule in config.collector.maintenance:
        task = parse_maintenance_task(name)
        if task is not None and task.destination:
            place = resolve_destination(task.destination, Path(config.place).parent)
            name = f"{task.kind}:{place}"
        yield name, schedule
    if config.collector.deployed:
        place = str(Path(config.place).absolute())
        yield f"{WATCH_DEPLOYED}:{place}", config.collector.deployed


def _resolve_sources(
    reading: ConfigReading, config: Config, faults: list[ConfigFault]
) -> Iterator[tuple[str, CollectionSchedule]]:
    """Yield the scheduled sources with absolute locations, and collect faults."""
    folder, home = Path(config.place).parent, find_home_folder()
    named = zip(config.sources, reading.source_positions, strict=True)
    for index, (each, position) in enumerate(named):
        if not each.schedule:
            continue
        name, _, location = each.source.partition(":")
        capability = find_source_capability(name)
        try:
            if capability == registry.EVENTS and location in ("", "-"):
                raise UsageError(
                    "a log source requires a location",
                    f"expected {name}:PATH, a file or a folder",
                )
            is_log_only = each.schedule.follow or each.schedule.silent_after
            if is_log_only and capability != registry.EVENTS:
                raise UsageError(
                    "only a log source can have `follow` or `silent_after`",
                    "remove `follow` and `silent_after`, or use a source of ingest",
                )
            if home is None and location.startswith("~"):
                raise UsageError(
                    "the home directory is unknown", "expected an absolute path"
                )
            (source,) = parse_sources(
                [each.source],
                home=home or folder,
                cwd=folder,
                capability=capability or registry.INVENTORY,
            )
        except UsageError as error:
            message = f"expected a source of scan or ingest; {error.hint}"
            faults.append(ConfigFault(position, f"sources[{index}]", message))
        else:
            yield str(source), each.schedule
