"""Remove statements from the catalogues of a platform (command `what-if`)."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import get_close_matches

from answerable.model.errors import UsageError
from answerable.model.platform_catalogue import PlatformCatalogue

_MOST_KNOWN = 5_000  # names that a wrong text is compared with


class StatementRemoval:
    """Statements to remove, and those that were found.

    Args:
        texts: Statements, as answers print them.
        get_name: Returns the name in a printed statement, to compare with.
        fold: Returns a name in the form of `get_name`: in lower case, say.
    """

    def __init__(
        self,
        texts: Iterable[str],
        get_name: Callable[[str], str],
        fold: Callable[[str], str] = str,
    ) -> None:
        self._wanted = {text: get_name(text) for text in texts}
        self._fold = fold
        self._found: set[str] = set()
        self._known: dict[str, str] = {}

    def includes(self, *names: str) -> bool:
        """Return whether a statement with one of these names is to be removed."""
        folded = {self._fold(name): name for name in names}
        if len(self._known) < _MOST_KNOWN:
            self._known |= folded
        hits = {text for text, name in self._wanted.items() if name in folded}
        self._found |= hits
        return bool(hits)

    def edit_catalogues(
        self,
        catalogues: Iterable[PlatformCatalogue],
        platform: str,
        edit_body: Callable[[str], str],
    ) -> tuple[PlatformCatalogue, ...]:
        """Edit the JSON of each catalogue of a platform."""
        return tuple(
            replace(each, body=edit_body(each.body))
            if each.platform == platform
            else each
            for each in catalogues
        )

    def require_all_found(self, what: str, hint: str) -> None:
        """Raise an error for a statement that no catalogue has.

        Args:
            what: Beginning of the message.
            hint: Next step if no known statement is similar.

        Raises:
            UsageError: A statement was not found.
        """
        for text in self._wanted.keys() - self._found:
            close = get_close_matches(self._wanted[text], self._known, n=1)
            raise UsageError(
                f"{what} (got {text[:200]!r})",
                f"did you mean {self._known[close[0]]!r}?" if close else hint,
            )
