"""boto3 is an extra and takes a while to import: only who asks AWS pays for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from answerable.model.errors import EnvironmentRefused


@contextmanager
def boto3_for(what: str) -> Iterator[None]:
    """Import what needs boto3, and say what to do where it is not installed.

    Args:
        what: What needs it, for the message.

    Raises:
        EnvironmentRefused: boto3 is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise EnvironmentRefused(
            f"{what} needs boto3, which is not installed",
            "pip install 'answerable[aws]'",
        ) from None
