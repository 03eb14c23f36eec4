"""Show who is signed in on this machine, and until when (`login --status`)."""

from pathlib import Path

from answerable.model.documents.login import LoginItem
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.services.federation.stored_login import FILE_NAME, load_login


def show_login_status(folder: Path, now: int) -> Document:
    """Show who is signed in, at which issuer and until when; never the token."""
    logged_in = load_login(folder, now)
    items: list[LoginItem] = []
    if logged_in is not None:
        items.append(
            {
                "person": logged_in.person,
                "issuer": logged_in.issuer,
                "iss": logged_in.iss,
                "expires_at": format_time(logged_in.expires * 1_000_000_000),
                "place": str(folder / FILE_NAME),
            }
        )
    return Document("login", items, build_empty_coverage(), failed=not items)
