"""Where the gateway and the decision point keep their own files."""

from pathlib import Path

from answerable.model.config import Config, TokenService
from answerable.model.decision_point import DecisionPoint


def gateway_state(config: Config, store: Path) -> Path:
    """The gateway's own folder: as configured, else in the store."""
    return Path(config.state) if config.state else store / "gateway"


def decisions_state(point: DecisionPoint, store: Path) -> Path:
    """The decision point's own folder: as configured, else in the store."""
    return Path(point.state) if point.state else store / "decisions"


def token_state(service: TokenService | None, store: Path) -> Path:
    """The token service's own folder: as configured, else in the store."""
    return Path(service.state) if service and service.state else store / "sts"
