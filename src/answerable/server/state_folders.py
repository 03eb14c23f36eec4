"""Locate the state folders of the gateway, decision point and token service."""

from pathlib import Path

from answerable.model.config import Config, TokenServiceConfig
from answerable.model.decision_point_config import DecisionPointConfig


def gateway_state(config: Config, store: Path) -> Path:
    """Return the gateway's state folder: as configured, else in the store."""
    return Path(config.state) if config.state else store / "gateway"


def decisions_state(config: DecisionPointConfig, store: Path) -> Path:
    """Return the decision point's state folder: as configured, else in the store."""
    return Path(config.state) if config.state else store / "decisions"


def token_service_state(config: TokenServiceConfig | None, store: Path) -> Path:
    """Return the token service's state folder: as configured, else in the store."""
    return Path(config.state) if config and config.state else store / "sts"


def list_state_folders(config: Config | None, store: Path) -> dict[str, Path]:
    """Return the state folder of each configured server, by the server's name."""
    if config is None:
        return {}
    folders = {"gateway": gateway_state(config, store)}
    if config.sts is not None:
        folders["sts"] = token_service_state(config.sts, store)
    if config.decisions is not None:
        folders["decisions"] = decisions_state(config.decisions, store)
    if config.web is not None and config.web.state:
        folders["web"] = Path(config.web.state)
    return folders
