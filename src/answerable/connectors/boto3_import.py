"""Lazy import of boto3, an optional extra that is slow to import."""

from collections.abc import Iterator
from contextlib import contextmanager

from answerable.model.errors import EnvironmentFailure


@contextmanager
def require_boto3(what: str) -> Iterator[None]:
    """Guard an import that needs boto3, with a hint if it is not installed.

    Args:
        what: Feature that needs it, for the message.

    Raises:
        EnvironmentFailure: boto3 is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise EnvironmentFailure(
            f"{what} needs boto3, which is not installed",
            "pip install 'answerable[aws]'",
        ) from None
