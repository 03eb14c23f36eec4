"""Parse the section `asks`: how owners are notified of blocked calls."""

from answerable.connectors.config.parse.addresses import is_url_without_query, read_path
from answerable.connectors.config.parse.config_section import ConfigSection
from answerable.model.approval_request import (
    DEFAULT_MESSAGES_PER_AGENT,
    ApprovalRequestConfig,
)

_MAX_PER_AGENT = 3600  # messages an hour


def read_approval_requests(
    file: ConfigSection, folder: str
) -> ApprovalRequestConfig | None:
    """Read the section `asks`; None if absent."""
    section = file.read_section("asks")
    asks = ApprovalRequestConfig(
        webhook=section.read_text("webhook"),
        webhook_env=section.read_variable("webhook_env"),
        ca=read_path(section, "ca", folder),
        private=section.read_flag("private"),
        per_agent=section.read_number(
            "per_agent", DEFAULT_MESSAGES_PER_AGENT, 1, _MAX_PER_AGENT
        ),
    )
    section.check_texts(
        "webhook",
        lambda text: is_url_without_query(text, "https"),
        "expected an https URL",
    )
    section.report_unknown_keys()
    if not file.has_key("asks"):
        return None
    if bool(asks.webhook) == bool(asks.webhook_env):
        section.report_fault("", "expected either webhook or webhook_env")
    return asks
