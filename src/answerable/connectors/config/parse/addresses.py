"""Parse and check addresses, paths and URLs in the configuration."""

import re
from ipaddress import ip_address
from pathlib import PurePath
from urllib.parse import urlsplit

from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.federation.uri_normalisation import normalise_uri
from answerable.model.config import ListenAddress

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_valid_name(text: str) -> bool:
    """Return whether a text is a valid name of a server, an issuer or an agent."""
    return NAME_PATTERN.fullmatch(text) is not None


def check_name(section: ConfigSection, name: str) -> bool:
    """Check the name of a section; an invalid one becomes a fault."""
    if not is_valid_name(name):
        section.report_fault("", "expected a name of letters, digits, `.`, `_`, `-`")
    return is_valid_name(name)


def is_loopback(host: str) -> bool:
    """Return whether a host is a loopback address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def parse_address(text: str) -> ListenAddress | None:
    """Parse `HOST:PORT`, with IPv6 in brackets; None if invalid."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > 65535:
        return None
    host = found[1].strip("[]")
    if found[1] != host:
        try:
            ip_address(host)
        except ValueError:
            return None
    return ListenAddress(host, int(found[2]))


def read_address(section: ConfigSection, key: str, default: str) -> ListenAddress:
    """Read a `host:port` address; the default, and a fault, if invalid."""
    address = parse_address(section.read_text(key, default) or default)
    if address is None:
        section.report_fault(key, "expected an address HOST:PORT")
        address = parse_address(default)
    return address or ListenAddress("127.0.0.1", 0)


def read_path(section: ConfigSection, key: str, folder: str) -> str:
    """Read a path; a relative one is resolved against the folder of the file."""
    text = section.read_text(key)
    return str(PurePath(folder) / text) if text else ""


def read_origin(
    section: ConfigSection, key: str, *, https_if_remote: bool = False
) -> str:
    """Read a URL of scheme and authority alone."""
    url = section.read_text(key)
    if url and (not is_url_without_query(url, "http", "https") or url.count("/") != 2):
        section.report_fault(
            key, "expected scheme and authority only: https://HOST[:PORT]"
        )
    elif https_if_remote and is_unencrypted_remote_url(url):
        section.report_fault(key, "expected https for an address outside loopback")
    return url


def is_url_without_query(text: str, *schemes: str) -> bool:
    """Return whether a text is a URL of a scheme without user, query or fragment."""
    plain = normalise_uri(text) is not None and not set("?#") & set(text)
    return plain and urlsplit(text).scheme in schemes


def is_unencrypted_remote_url(url: str) -> bool:
    """Return whether a URL means unencrypted HTTP to a host other than loopback."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
