"""Import the optional dependencies of the extra `ext-authz`: grpclib and protobuf."""

from collections.abc import Iterator
from contextlib import contextmanager

from answerable.model.errors import EnvironmentFailure

_PACKAGES = ("grpclib", "google", "h2", "multidict")


@contextmanager
def require_ext_authz_packages() -> Iterator[None]:
    """Import optional packages, with an install hint if they are missing.

    Raises:
        EnvironmentFailure: They are not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        raise EnvironmentFailure(
            "decisions.ext_authz requires grpclib and protobuf, which are not "
            "installed",
            "pip install 'answerable[ext-authz]'",
        ) from None
