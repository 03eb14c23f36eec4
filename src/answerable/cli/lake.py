"""Option `--lake` of the commands that can read a customer's lake in place."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from answerable.cli.session import StoreSession
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError

if TYPE_CHECKING:
    from answerable.services.lineage.lake_events import LakeReading

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def lake_option(command: FunctionT) -> FunctionT:
    """Add `--lake` to a command."""
    return click.option(
        "--lake",
        multiple=True,
        callback=_get_only_lake,
        metavar="lake:PLACE",
        help="Read CloudTrail's tables (OCSF or its own) in place: a folder, or "
        "s3://BUCKET/PREFIX.",
    )(command)


def _get_only_lake(
    context: click.Context, option: click.Parameter, named: tuple[str, ...]
) -> str:
    """Return the lake of a command, empty for none; several are refused."""
    if len(named) > 1:
        raise UsageError(
            f"--lake is given {len(named)} times", "name one folder that contains both"
        )
    return named[0] if named else ""


class LakeSession:
    """Lake of one command: read before its question, named in the answer."""

    def __init__(
        self, session: StoreSession, lake: str, *, since: int = 0, until: int = 0
    ) -> None:
        self._now = session.now
        self._reading: LakeReading | None = None
        if lake:
            from answerable.services.lineage.lake_events import read_lake_events

            self._reading = read_lake_events(
                session.store, lake, since=since, until=until, now=session.now
            )

    @property
    def note(self) -> str:
        """Line for standard error, empty without a lake."""
        if self._reading is None:
            return ""
        reading = self._reading
        parts = [
            f"note: {reading.events:,} events of {reading.location} were "
            "read in place: they are not proven by this store"
        ]
        if reading.events == reading.earlier and not reading.stored:
            parts.append("the lake has no event of this time")
        if reading.earlier:
            parts.append(
                f"{reading.earlier:,} of them are earlier than --since, are used for "
                "issued credentials only, and are not listed or counted"
            )
        if reading.duplicates:
            parts.append(f"skipped {reading.duplicates:,} rows that repeat an event")
        if reading.skipped:
            parts.append(
                f"skipped {reading.skipped:,} rows and tables that are no API calls of "
                "CloudTrail"
            )
        return "; ".join(parts)

    def describe(self, document: Document) -> Document:
        """Add the lake to the coverage of an answer."""
        if self._reading is None:
            return document
        from answerable.services.lineage.lake_events import add_lake_coverage

        return add_lake_coverage(document, self._reading, self._now)
