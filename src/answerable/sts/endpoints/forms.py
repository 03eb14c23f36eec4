"""Form bodies (RFC 6749 3.2), parsed strictly."""

from answerable.federation import form_parsing as federate
from answerable.federation.denials import Refused as NotRead
from answerable.server.wire.refusals import Refused, Why
from answerable.sts.http.request import Asked

FORM = "application/x-www-form-urlencoded"


def read_form(asked: Asked) -> federate.Form:
    """Parse a form.

    Raises:
        Refused: It is no form, or ambiguous.
    """
    check_form(asked)
    try:
        return federate.read_form(asked.body)
    except NotRead:
        raise Refused(Why.REPEATED_KEY) from None


def check_form(asked: Asked) -> None:
    """Reject a body that is not declared as a form, or is encoded.

    Raises:
        Refused: The check failed.
    """
    fields = asked.head.fields
    kind, _, _ = fields.get("content-type", "").partition(";")
    if kind.strip().lower() != FORM:
        raise Refused(Why.CONTENT_TYPE)
    if fields.get("content-encoding", "identity") != "identity":
        raise Refused(Why.CONTENT_CODING)
