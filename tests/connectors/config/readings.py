"""Configuration text as parsed, and its faults in one line each."""

from answerable.connectors.config.parse.config_file import ConfigReading, parse_config


def read(text: str) -> ConfigReading:
    """Parse a configuration file at a fixed place."""
    return parse_config(text.encode(), "answerable.yaml", "/etc/answerable")


def faults(text: str) -> list[str]:
    """List the faults of a configuration, each with its position."""
    return [
        f"{fault.position.line}:{fault.position.column} {fault.path}: {fault.message}"
        for fault in read(text).faults
    ]
