"""Section `listen`: addresses, sockets and TLS."""

import ipaddress

from answerable.connectors.config.parse.addresses import (
    is_loopback,
    is_url,
    parse_address,
    read_address,
    read_path,
)
from answerable.connectors.config.parse.config_section import Section
from answerable.model.config import Listen, Listener, Tls

API = "127.0.0.1:8470"
API_BESIDE_WEB = "127.0.0.1:8475"  # the web page has the other
GATEWAY = "127.0.0.1:8471"
MAX_WORKERS = 64

_OPEN = "outside loopback this needs tls, or listen.insecure: true"


def read_listen(section: Section, folder: str, *, web: bool = False) -> Listen:
    """Read all listeners; by default the gateway has one on loopback."""
    insecure = section.flag("insecure")
    api = read_address(section, "api", API_BESIDE_WEB if web else API)
    if not insecure and not is_loopback(api.host):
        section.fault("api", "outside loopback this needs listen.insecure: true")
    gateway = read_listeners(section, "gateway", folder, GATEWAY, insecure=insecure)
    workers = section.number("workers", 1, 1, MAX_WORKERS)
    proxies = _networks(section, "proxies")
    section.close()
    return Listen(api, gateway, workers, insecure, proxies)


def _networks(section: Section, key: str) -> tuple[str, ...]:
    """Read a list of addresses or networks, e.g. `10.2.0.0/16`."""
    networks = []
    for text in section.texts(key):
        try:
            networks.append(str(ipaddress.ip_network(text)))
        except ValueError:
            section.fault(key, "addresses or networks were expected: 10.2.0.0/16")
    return tuple(networks)


def read_listeners(
    section: Section, key: str, folder: str, usual: str, *, insecure: bool
) -> tuple[Listener, ...]:
    """Read a list of listeners, with one default address."""
    listeners = listeners_of(section, key, folder, insecure=insecure)
    return listeners or (Listener(parse_address(usual), "", (), (), "", None),)


def listeners_of(
    section: Section, key: str, folder: str, *, insecure: bool
) -> tuple[Listener, ...]:
    """Read a list of listeners, which may be empty."""
    return tuple(
        _listener(each, folder, insecure=insecure) for each in section.items(key)
    )


def _listener(section: Section, folder: str, *, insecure: bool) -> Listener:
    unix = read_path(section, "unix", folder)
    if unix and section.has("address"):
        section.fault("address", "either address or unix was expected")
    if not unix and not section.has("address"):
        section.fault("", "address or unix is missing")
    address = read_address(section, "address", GATEWAY)
    tls = _tls(section, folder)
    if not unix and tls is None and not insecure and not is_loopback(address.host):
        section.fault("address", _OPEN)
    if unix and tls is not None:
        section.fault("tls", "a unix socket has none")
    url = section.text("url")
    if url and (not is_url(url, "http", "https") or url.count("/") != 2):
        section.fault("url", "scheme and authority were expected: https://HOST[:PORT]")
    hosts, origins = section.texts("hosts"), section.texts("origins")
    section.close()
    return Listener(
        address=None if unix else address,
        unix=unix,
        hosts=tuple(host.lower() for host in hosts),
        origins=tuple(origin.lower() for origin in origins),
        url=url,
        tls=tls,
    )


def _tls(listener: Section, folder: str) -> Tls | None:
    section = listener.section("tls")
    tls = Tls(
        certificate=read_path(section, "certificate", folder),
        key=read_path(section, "key", folder),
        client_ca=read_path(section, "client_ca", folder),
    )
    section.close()
    if not listener.has("tls"):
        return None
    for key in ("certificate", "key"):
        if not section.has(key):
            section.fault("", f"{key} is missing")
    return tls
