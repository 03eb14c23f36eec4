"""Section `asks`: notifications of owners about blocked calls."""

import re

from answerable.connectors.config.parse.addresses import is_url, read_path
from answerable.connectors.config.parse.config_section import Section
from answerable.model.approval_request import PER_AGENT, Asks

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MOST = 3600  # messages an hour


def read_asks(file: Section, folder: str) -> Asks | None:
    """Read the section `asks`; None if absent."""
    section = file.section("asks")
    asks = Asks(
        webhook=section.text("webhook"),
        webhook_env=section.text("webhook_env"),
        ca=read_path(section, "ca", folder),
        private=section.flag("private"),
        per_agent=section.number("per_agent", PER_AGENT, 1, _MOST),
    )
    section.check(
        "webhook", lambda text: is_url(text, "https"), "an https URL was expected"
    )
    if asks.webhook_env and not _VARIABLE.fullmatch(asks.webhook_env):
        what = "the name of an environment variable was expected, and no value"
        section.fault("webhook_env", what)
    section.close()
    if not file.has("asks"):
        return None
    if bool(asks.webhook) == bool(asks.webhook_env):
        section.fault("", "either webhook or webhook_env was expected")
    return asks
