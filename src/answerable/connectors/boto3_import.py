"""Import boto3 only when needed: it is an optional extra and slow to import."""

from collections.abc import Iterator
from contextlib import contextmanager

from answerable.model.errors import EnvironmentFailure


@contextmanager
def require_boto3(feature: str) -> Iterator[None]:
    """Guard an import that needs boto3: a missing one raises a helpful error.

    Args:
        feature: Feature that needs it, for the message.

    Raises:
        EnvironmentFailure: boto3 is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise EnvironmentFailure(
            f"{feature} needs boto3, which is not installed",
            "pip install 'answerable[aws]'",
        ) from None
