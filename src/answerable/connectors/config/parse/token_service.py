"""Section `sts`: the token service."""

import re

from answerable.connectors.config.parse.addresses import (
    is_loopback,
    is_open,
    is_url,
    read_address,
    read_path,
)
from answerable.connectors.config.parse.config_section import Section
from answerable.connectors.config.parse.listeners import read_listeners
from answerable.model.config import Address, Listen, Terminator, TokenService

USUAL = "127.0.0.1:8472"
HEALTH = "127.0.0.1:8477"
MAX_ID = 2**32 - 2  # the highest user id

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_FIELD = re.compile(r"[a-z][a-z0-9-]{0,63}")


def read_sts(file: Section, listen: Listen, folder: str) -> TokenService | None:
    """Read the section `sts`, None if absent."""
    section = file.section("sts")
    url = section.text("url")
    service = TokenService(
        url=url,
        listen=read_listeners(
            section, "listen", folder, USUAL, insecure=listen.insecure
        ),
        state=read_path(section, "state", folder),
        database=section.text("database"),
        terminator=_terminator(section),
        admins=section.numbers("admins", 0, MAX_ID),
        gateways=section.numbers("gateways", 0, MAX_ID),
        passphrase=read_path(section, "passphrase", folder),
        passphrase_env=section.text("passphrase_env"),
        events=section.texts("events"),
        events_ca=read_path(section, "events_ca", folder),
        health=_health(section, listen),
    )
    section.check(
        "events", lambda text: is_url(text, "https"), "an https URL was expected"
    )
    section.close()
    if not file.has("sts"):
        return None
    if not url:
        section.fault("", "url is missing")
    elif not is_url(url, "http", "https") or url.endswith("/"):
        section.fault("url", "an https URL without a slash at its end was expected")
    elif is_open(url):
        section.fault("url", "https was expected outside loopback")
    _check_variables(section, service)
    if service.terminator and not any(each.unix for each in service.listen):
        section.fault("terminator", "it reaches us at a unix listener; there is none")
    return service


def _health(section: Section, listen: Listen) -> Address | None:
    given = section.has("health")
    address = read_address(section, "health", HEALTH)
    if not listen.insecure and not is_loopback(address.host):
        section.fault("health", "outside loopback this needs listen.insecure: true")
    return address if given else None


def _check_variables(section: Section, service: TokenService) -> None:
    named = (("database", service.database), ("passphrase_env", service.passphrase_env))
    for key, name in named:
        if name and not _VARIABLE.fullmatch(name):
            what = "the name of an environment variable was expected, and no value"
            section.fault(key, what)
    if service.passphrase and service.passphrase_env:
        section.fault("passphrase", "a file or a variable was expected, not both")


def _terminator(sts: Section) -> Terminator | None:
    section = sts.section("terminator")
    field = section.text("field").lower()
    uid = section.number("uid", 0, 0, MAX_ID)
    section.close()
    if not sts.has("terminator"):
        return None
    for key in ("field", "uid"):
        if not section.has(key):
            section.fault("", f"{key} is missing")
    if field and not _FIELD.fullmatch(field):
        section.fault("field", "the name of a field was expected, e.g. client-cert")
    return Terminator(field, uid)
