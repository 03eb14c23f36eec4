"""Parse the section `sts`: the token service."""

import re

from answerable.connectors.config.parse.addresses import (
    is_loopback,
    is_unencrypted_remote_url,
    is_url_without_query,
    read_address,
    read_path,
)
from answerable.connectors.config.parse.agents import MAX_ID
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.connectors.config.parse.listeners import (
    REMOTE_HEALTH_FAULT,
    read_listeners,
)
from answerable.model.config import (
    ListenAddress,
    ListenConfig,
    TlsTerminator,
    TokenServiceConfig,
)

DEFAULT_ADDRESS = "127.0.0.1:8472"
DEFAULT_HEALTH = "127.0.0.1:8477"

_FIELD_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")


def read_token_service(
    file: ConfigSection, listen: ListenConfig, folder: str
) -> TokenServiceConfig | None:
    """Read the section `sts`, None if absent."""
    section = file.read_section("sts")
    url = section.read_text("url")
    service = TokenServiceConfig(
        url=url,
        listen=read_listeners(
            section, "listen", folder, DEFAULT_ADDRESS, insecure=listen.insecure
        ),
        state=read_path(section, "state", folder),
        database=section.read_variable("database"),
        terminator=_read_tls_terminator(section),
        admins=section.read_numbers("admins", 0, MAX_ID),
        gateways=section.read_numbers("gateways", 0, MAX_ID),
        passphrase=read_path(section, "passphrase", folder),
        passphrase_env=section.read_variable("passphrase_env"),
        events=section.read_texts("events"),
        events_ca=read_path(section, "events_ca", folder),
        health=_read_health_address(section, listen),
    )
    section.check_texts(
        "events",
        lambda text: is_url_without_query(text, "https"),
        "expected an https URL",
    )
    section.report_unknown_keys()
    if not file.has_key("sts"):
        return None
    if not url:
        section.report_fault("", "url is missing")
    elif not is_url_without_query(url, "http", "https") or url.endswith("/"):
        section.report_fault("url", "expected an https URL without a slash at its end")
    elif is_unencrypted_remote_url(url):
        section.report_fault("url", "expected https for an address outside loopback")
    if service.passphrase and service.passphrase_env:
        section.report_fault("passphrase", "expected a file or a variable, not both")
    if service.terminator and not any(each.unix for each in service.listen):
        section.report_fault("terminator", "requires a listener with unix (found none)")
    return service


def _read_health_address(
    section: ConfigSection, listen: ListenConfig
) -> ListenAddress | None:
    """Read the address of the health endpoint, None if absent."""
    given = section.has_key("health")
    address = read_address(section, "health", DEFAULT_HEALTH)
    if not (listen.is_health_plain_text or is_loopback(address.host)):
        section.report_fault("health", REMOTE_HEALTH_FAULT)
    return address if given else None


def _read_tls_terminator(service_section: ConfigSection) -> TlsTerminator | None:
    """Read the TLS terminator that forwards client certificates, or None."""
    section = service_section.read_section("terminator")
    field = section.read_text("field").lower()
    uid = section.read_number("uid", 0, 0, MAX_ID)
    section.report_unknown_keys()
    if not service_section.has_key("terminator"):
        return None
    section.require("field", "uid")
    if field and not _FIELD_NAME.fullmatch(field):
        section.report_fault(
            "field", "expected the name of a header field, e.g. client-cert"
        )
    return TlsTerminator(field, uid)
