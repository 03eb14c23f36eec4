"""How many attacks were tried: on standard output with `-s`, and in the report."""

from tests.federation.conftest import counted

__all__ = ["counted"]
