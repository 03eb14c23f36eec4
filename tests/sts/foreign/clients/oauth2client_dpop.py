"""requests-oauth2client: discovery, then a token exchange bound to a DPoP key."""

from requests_oauth2client import OAuth2Client, PublicApp

from tests.sts.foreign.clients.assignment import assignment, show


def main() -> None:
    """Get a token."""
    told = assignment()
    client = OAuth2Client(
        token_endpoint=f"{told['issuer']}/token",
        client=PublicApp(told["client_id"]),
        testing=True,
    )
    token = client.token_exchange(
        subject_token=told["subject"],
        subject_token_type=told["subject_type"],
        dpop=True,
        audience=told["audience"],
        scope=told["scope"],
    )
    show(token.access_token, token.token_type)


if __name__ == "__main__":
    main()
