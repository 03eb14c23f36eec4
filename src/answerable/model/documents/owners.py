"""JSON output about owners, their evidence and their keys. See docs/cli.md."""

from typing import Annotated, NotRequired, TypedDict

from answerable.model.documents.columns import Column


class OwnerEvidenceItem(TypedDict):
    """Piece of ownership evidence with its current weight.

    Of an attestation: the owner key, its end, the reason why it is invalid (empty for a
    valid one), and the original subject where it was propagated.
    """

    kind: Annotated[str, Column("kind of evidence")]
    source: Annotated[str, Column("the source with this evidence")]
    place: Annotated[str, Column("location of the evidence")]
    reference: Annotated[str, Column("the original text")]
    observed_at: Annotated[
        str, Column("time at which the evidence was found", format="time")
    ]
    weight: Annotated[float, Column("the current weight")]
    written_by: Annotated[str, Column("the party that could have written the evidence")]
    key: NotRequired[Annotated[str, Column("the owner key that signed an attestation")]]
    expires_at: NotRequired[
        Annotated[
            str | None,
            Column(
                "end of an attestation; null if the attestation is invalid",
                format="time",
            ),
        ]
    ]
    void: NotRequired[
        Annotated[
            str,
            Column(
                "for an invalid attestation, the reason; otherwise empty: `signature-wrong`, `key-not-enrolled`, `key-of-another-person`, `key-not-valid-yet`, `key-expired`, `key-revoked`, `recorded-late`, `signed-in-the-future`, `expiry-wrong`, `for-another-store`, `of-another-type`"
            ),
        ]
    ]
    said_of: NotRequired[
        Annotated[
            str,
            Column(
                "the subject of the signed statement, if the evidence was derived from that statement; otherwise empty"
            ),
        ]
    ]


class OwnerCandidateItem(TypedDict):
    """Candidate owner with the evidence."""

    person: Annotated[str, Column("the candidate")]
    score: Annotated[float, Column("0 to 1")]
    evidence: Annotated[list[OwnerEvidenceItem], Column("the evidence")]


class OwnershipItem(TypedDict):
    """`answerable who-owns`."""

    id: Annotated[str, Column("the requested subject")]
    state: Annotated[
        str, Column("state of ownership; only `attested` can authorize actions")
    ]
    person: Annotated[str | None, Column("the owner, if the state names one")]
    score: Annotated[float, Column("score of the top candidate, 0 to 1")]
    margin: Annotated[float, Column("distance to the next candidate")]
    candidates: Annotated[list[OwnerCandidateItem], Column("all candidates")]


class OwnerKeyItem(TypedDict):
    """`answerable owner-keys`: one key each; times are RFC 3339, UTC.

    `state` is the state of a signature made now: `valid`, `not-yet`, `expired` or
    `revoked`.
    """

    id: Annotated[str, Column("`owner-key:THUMBPRINT`", "key", 0)]
    person: Annotated[str, Column("the person", "", 0, "short-id")]
    kind: Annotated[
        str,
        Column(
            "`ed25519`, or `webauthn` for a security key, which signs on the web page",
            "kind",
            3,
            "words",
        ),
    ]
    state: Annotated[
        str,
        Column(
            "validity of a signature made now: `valid`, `not-yet`, `expired`, `revoked`",
            "is",
            1,
            "words",
        ),
    ]
    revoked_at: Annotated[
        str | None, Column("start of the revocation", "revoked", 1, "day")
    ]
    valid_until: Annotated[str, Column("end of the validity", "until", 2, "day")]
    attestations: Annotated[
        int,
        Column(
            "number of valid attestations with this key",
            "attests",
            4,
            "number",
            right=True,
        ),
    ]
    valid_from: Annotated[str, Column("start of the validity", "from", 5, "day")]
    enrolled_by: Annotated[
        str,
        Column(
            "the user of the operating system, `uid 1000`; on the web page the provider that authenticated the person, or the administrator",
            "",
            3,
        ),
    ]
    enrolled_at: Annotated[str, Column("time of the record", "enrolled", 3, "day")]
    written_by: Annotated[
        str,
        Column(
            "the party that could have written the enrolment: `mediator` if an identity provider authenticated the person on the web page, otherwise `self-reported`"
        ),
    ]


class NewOwnerKeyItem(TypedDict):
    """`answerable owner-keys new`: the key and the places of its two halves."""

    id: Annotated[str, Column("`owner-key:` and the key's RFC 7638 thumbprint")]
    person: Annotated[str, Column("the person")]
    key_file: Annotated[str, Column("file of the private key")]
    public_file: Annotated[str, Column("file of the public key")]
