"""google-auth: an external account (workload identity federation), as for Google.

Over plain HTTP on loopback, which its documentation shows `from_info` for.
"""

from google.auth import identity_pool
from google.auth.transport.requests import Request

from tests.sts.foreign.clients.assignment import assignment, show


class Supplier(identity_pool.SubjectTokenSupplier):  # type: ignore[misc]
    """Gives the workload's own token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_subject_token(self, context: object, request: object) -> str:
        """Give it."""
        del context, request
        return self._token


def main() -> None:
    """Get a token."""
    told = assignment()
    credentials = identity_pool.Credentials.from_info(
        {
            "type": "external_account",
            "audience": told["audience"],
            "subject_token_type": told["subject_type"],
            "token_url": f"{told['issuer']}/token",
            "subject_token_supplier": Supplier(told["subject"]),
        },
        scopes=told["scope"].split(),
    )
    credentials.refresh(Request())
    show(credentials.token, "Bearer")


if __name__ == "__main__":
    main()
