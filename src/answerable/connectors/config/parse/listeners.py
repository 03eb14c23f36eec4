"""Parse the section `listen`: addresses, unix sockets and TLS."""

import ipaddress

from answerable.connectors.config.parse.addresses import (
    is_loopback,
    parse_address,
    read_address,
    read_origin,
    read_path,
)
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.model.config import ListenConfig, Listener, TlsFiles

DEFAULT_API = "127.0.0.1:8470"
DEFAULT_API_WITH_WEB = "127.0.0.1:8475"  # the web page has the other
DEFAULT_GATEWAY = "127.0.0.1:8471"
MAX_WORKERS = 64

_PLAIN_TEXT_FAULT = "outside loopback, requires tls or listen.insecure: true"
REMOTE_HEALTH_FAULT = "outside loopback, requires listen.remote_health: true"


def read_listen(
    section: ConfigSection, folder: str, *, web: bool = False
) -> ListenConfig:
    """Read all listeners; by default the gateway has one on loopback."""
    insecure = section.read_flag("insecure")
    api = read_address(section, "api", DEFAULT_API_WITH_WEB if web else DEFAULT_API)
    remote_health = section.read_flag("remote_health")
    if not (insecure or remote_health or is_loopback(api.host)):
        section.report_fault("api", REMOTE_HEALTH_FAULT)
    gateway = read_listeners(
        section, "gateway", folder, DEFAULT_GATEWAY, insecure=insecure
    )
    workers = section.read_number("workers", 1, 1, MAX_WORKERS)
    proxies = _read_networks(section, "proxies")
    section.report_unknown_keys()
    return ListenConfig(api, gateway, workers, insecure, proxies, remote_health)


def _read_networks(section: ConfigSection, key: str) -> tuple[str, ...]:
    """Read a list of addresses or networks, e.g. `10.2.0.0/16`."""
    networks = []
    for text in section.read_texts(key):
        try:
            networks.append(str(ipaddress.ip_network(text)))
        except ValueError:
            section.report_fault(
                key, "expected addresses or networks, e.g. 10.2.0.0/16"
            )
    return tuple(networks)


def read_listeners(
    section: ConfigSection, key: str, folder: str, default: str, *, insecure: bool
) -> tuple[Listener, ...]:
    """Read a list of listeners, with one default address."""
    listeners = read_optional_listeners(section, key, folder, insecure=insecure)
    return listeners or (Listener(parse_address(default), "", (), (), "", None),)


def read_optional_listeners(
    section: ConfigSection, key: str, folder: str, *, insecure: bool
) -> tuple[Listener, ...]:
    """Read a list of listeners, which may be empty."""
    return tuple(
        _read_listener(each, folder, insecure=insecure)
        for each in section.read_section_list(key)
    )


def _read_listener(section: ConfigSection, folder: str, *, insecure: bool) -> Listener:
    """Read one listener: an address or a unix socket, and its TLS."""
    unix = read_path(section, "unix", folder)
    if unix and section.has_key("address"):
        section.report_fault("address", "expected either address or unix")
    if not unix and not section.has_key("address"):
        section.report_fault("", "address or unix is missing")
    address = read_address(section, "address", DEFAULT_GATEWAY)
    tls = _read_tls(section, folder)
    if not unix and tls is None and not insecure and not is_loopback(address.host):
        section.report_fault("address", _PLAIN_TEXT_FAULT)
    if unix and tls is not None:
        section.report_fault("tls", "cannot be combined with unix")
    url = read_origin(section, "url")
    hosts, origins = section.read_texts("hosts"), section.read_texts("origins")
    section.report_unknown_keys()
    return Listener(
        address=None if unix else address,
        unix=unix,
        hosts=tuple(host.lower() for host in hosts),
        origins=tuple(origin.lower() for origin in origins),
        url=url,
        tls=tls,
    )


def _read_tls(listener: ConfigSection, folder: str) -> TlsFiles | None:
    """Read the TLS files of a listener, None if absent."""
    section = listener.read_section("tls")
    tls = TlsFiles(
        certificate=read_path(section, "certificate", folder),
        key=read_path(section, "key", folder),
        client_ca=read_path(section, "client_ca", folder),
    )
    section.report_unknown_keys()
    if not listener.has_key("tls"):
        return None
    section.require("certificate", "key")
    return tls
