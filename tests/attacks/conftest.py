"""How many attacks were tried: on standard output with `-s`, and in the report."""

from tests.federate.conftest import counted

__all__ = ["counted"]
