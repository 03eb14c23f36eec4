"""Import boto3 only when needed: it is an optional extra and slow to import."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from answerable.model.errors import EnvironmentFailure

_PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")


@contextmanager
def require_boto3(feature: str) -> Iterator[None]:
    """Guard an import that needs boto3: a missing one raises a helpful error.

    An empty name of a profile is removed from the environment: botocore would look for a
    profile without a name.

    Args:
        feature: Feature that needs it, for the message.

    Raises:
        EnvironmentFailure: boto3 is not installed.
    """
    for name in _PROFILE_VARIABLES:
        if os.environ.get(name) == "":
            del os.environ[name]
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise EnvironmentFailure(
            f"{feature} needs boto3, which is not installed",
            "pip install 'answerable[aws]'",
        ) from None
