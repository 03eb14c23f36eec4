"""JSON output of the command `answerable login`. See docs/cli.md."""

from typing import Annotated, TypedDict

from answerable.model.documents.columns import Column


class LoginItem(TypedDict):
    """Current sign-in; `expires_at` is RFC 3339 UTC. It does not contain the token."""

    person: Annotated[str, Column("the person, from the provider")]
    issuer: Annotated[str, Column("the name in the configuration, or its host")]
    iss: Annotated[str, Column("the identifier")]
    expires_at: Annotated[str, Column("when the sign-in ends", format="time")]
    place: Annotated[str, Column("file of the ID token")]
