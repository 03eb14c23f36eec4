"""Parse form bodies strictly (RFC 6749 3.2)."""

from answerable.federation import form_parsing as federate
from answerable.federation.denials import ExchangeDenied as NotRead
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.sts.http.request import StsRequest

FORM_TYPE = "application/x-www-form-urlencoded"


def parse_form(request: StsRequest) -> federate.FormParameters:
    """Parse an `application/x-www-form-urlencoded` request body.

    Raises:
        Refused: It is no form, or ambiguous.
    """
    check_content_type(request)
    try:
        return federate.parse_form(request.body)
    except NotRead:
        raise RequestRefused(RefusalReason.REPEATED_KEY) from None


def check_content_type(request: StsRequest) -> None:
    """Reject a body that is not declared as a form, or has a content coding.

    Raises:
        Refused: The check failed.
    """
    fields = request.head.fields
    kind, _, _ = fields.get("content-type", "").partition(";")
    if kind.strip().lower() != FORM_TYPE:
        raise RequestRefused(RefusalReason.CONTENT_TYPE)
    if fields.get("content-encoding", "identity") != "identity":
        raise RequestRefused(RefusalReason.CONTENT_CODING)
