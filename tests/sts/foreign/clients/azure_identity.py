"""azure-identity: a workload's token as client assertion, over TLS of a CA of its own."""

from urllib.parse import urlsplit

from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientAssertionCredential

from tests.sts.foreign.clients.assignment import assignment, show


def main() -> None:
    """Get a token."""
    told = assignment()
    credential = ClientAssertionCredential(
        tenant_id="answerable",
        client_id=told["client_id"],
        func=lambda: told["subject"],
        authority=urlsplit(told["issuer"]).netloc,
        transport=RequestsTransport(connection_verify=told["ca"]),
    )
    show(credential.get_token(f"{told['audience']}/.default").token, "Bearer")


if __name__ == "__main__":
    main()
