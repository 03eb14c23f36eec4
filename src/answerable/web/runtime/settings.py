"""Load the settings of the web interface: configuration, listeners, store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from answerable.connectors.config.fetch import read_config_file, read_policy_files
from answerable.connectors.config.parse.addresses import is_loopback, parse_address
from answerable.connectors.config.parse.config_file import ConfigReading, parse_config
from answerable.model.config import Config, Listener
from answerable.model.errors import UsageError
from answerable.server.restart_only_settings import (
    require_valid_config,
    resolve_store_folder,
)
from answerable.server.state_folders import decisions_state, gateway_state
from answerable.server.tls import without_tls_files
from answerable.store.store import EvidenceStore

STATE_FOLDER = "web"  # default state folder, in the store
DEFAULT_ADDRESS = "127.0.0.1:8470"


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Settings from one reading of the configuration file.

    Attributes:
        config: The configuration; empty without a file.
        has_file: Whether a file was named.
        reading: Parse result with faults.
        store: Folder of the store.
    """

    config: Config
    has_file: bool
    listen: tuple[Listener, ...]
    reading: ConfigReading
    store: Path

    @property
    def state(self) -> Path:
        """Return the state folder of the web process."""
        web = self.config.web
        return Path(web.state) if web and web.state else self.store / STATE_FOLDER

    @property
    def spools(self) -> tuple[Path, ...]:
        """Return the spool folders of decisions that are not in the store yet."""
        places = [gateway_state(self.config, self.store)]
        if self.token_service_folder is not None:
            places.append(self.token_service_folder)
        if self.config.decisions is not None:
            places.append(decisions_state(self.config.decisions, self.store))
        elif not self.has_file:
            places += [self.store / each for each in ("sts", "decisions")]
        return tuple(place / "spool" for place in places)

    @property
    def token_service_folder(self) -> Path | None:
        """Return the state folder of the token service, None without one."""
        sts = self.config.sts
        return (Path(sts.state) if sts.state else self.store / "sts") if sts else None

    @property
    def sign_in_folders(self) -> tuple[Path, ...]:
        """Return the state folders of the servers with sign-in."""
        token_service = self.token_service_folder
        return (self.state,) if token_service is None else (self.state, token_service)

    @property
    def has_valid_policy(self) -> bool:
        """Return whether the configuration file has no faults."""
        return not self.reading.faults

    @property
    def restart_only_settings(self) -> Mapping[str, object]:
        """Return the settings whose change needs a restart, by name in the file."""
        return {
            "web.listen": without_tls_files(self.listen),
            "web.state": self.state,
            "store": self.store,
        }


def load_settings(
    path: str, store: Path | None, default_store: Path | None, listen: str = ""
) -> WebSettings:
    """Load the settings; without a file, pages are served on this machine only.

    Args:
        path: The file, empty for none.
        store: Store named on the command line, None without.
        listen: Address that overrides the file, HOST:PORT.

    Raises:
        ConfigError: The file is invalid.
        UsageError: The file is missing, the address is invalid, or there is no store.
        EnvironmentFailure: It may not be read.
    """
    reading = (
        read_policy_files(read_config_file(path)) if path else _empty_config_reading()
    )
    config = require_valid_config(path, reading)
    root = resolve_store_folder(config, store, default_store)
    listeners = config.web.listen if config.web else (_build_listener(DEFAULT_ADDRESS),)
    if listen:
        listeners = (_build_listener(listen, insecure=config.listen.insecure),)
    if not path:  # a mistyped path is an error and creates nothing
        EvidenceStore.open(root, now=0, create=False).close()
    return WebSettings(config, bool(path), listeners, reading, root)


def _empty_config_reading() -> ConfigReading:
    """Return an empty `answerable.yaml`: the default without such a file."""
    reading = parse_config(b"limits: {}\n", "no configuration", "/")
    return replace(reading, data=b"")


def _build_listener(text: str, *, insecure: bool = False) -> Listener:
    """Build the listener of HOST:PORT; refuse a public one without TLS."""
    address = parse_address(text)
    if address is None:
        raise UsageError(
            f"invalid listen address (got {text!r}, expected HOST:PORT)",
            "answerable serve --only web --listen 127.0.0.1:8470",
        )
    if not insecure and not is_loopback(address.host):
        raise UsageError(
            f"{text} is reachable from other machines without TLS",
            "configure a listener with tls, or set listen.insecure: true",
        )
    return Listener(address, "", (), (), "", None)
