"""requests-oauth2client: discovery, a token exchange bound to a DPoP key, and the token's use."""

import requests
from requests_oauth2client import OAuth2Client

from tests.sts.foreign.clients.assignment import assignment, show


def main() -> None:
    """Get a token."""
    told = assignment()
    client = OAuth2Client.from_discovery_endpoint(
        issuer=told["issuer"],
        client_id=told["client_id"],
        testing=True,  # plain HTTP, on loopback
    )
    token = client.token_exchange(
        subject_token=told["subject"],
        subject_token_type=told["subject_type"],
        dpop=True,
        audience=told["audience"],
        scope=told["scope"],
    )
    # Introspection is a resource that takes such tokens, with a proof for each request.
    answer = requests.post(
        str(client.introspection_endpoint),
        data={"token": token.access_token},
        auth=token,
        timeout=60,
    )
    answer.raise_for_status()
    active = answer.json()["active"]
    show(token.access_token, token.token_type, used=active)


if __name__ == "__main__":
    main()
