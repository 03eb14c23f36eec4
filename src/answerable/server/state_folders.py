"""State folders of the gateway, the decision point and the token service."""

from pathlib import Path

from answerable.model.config import Config, TokenServiceConfig
from answerable.model.decision_point import DecisionPointConfig


def gateway_state(config: Config, store: Path) -> Path:
    """Return the gateway's state folder: as configured, else in the store."""
    return Path(config.state) if config.state else store / "gateway"


def decisions_state(point: DecisionPointConfig, store: Path) -> Path:
    """Return the decision point's state folder: as configured, else in the store."""
    return Path(point.state) if point.state else store / "decisions"


def token_service_state(service: TokenServiceConfig | None, store: Path) -> Path:
    """Return the token service's state folder: as configured, else in the store."""
    return Path(service.state) if service and service.state else store / "sts"
