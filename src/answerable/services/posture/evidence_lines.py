"""Lines of places in files of this machine, for evidence of findings.

A place is a file with a JSON pointer. The line is that of the innermost member of the
pointer that the file still has.
"""

from dataclasses import dataclass, field
from pathlib import Path

from answerable.connectors.formats.document_parser import DocumentFormat
from answerable.connectors.formats.span_tree import SpanNode, scan_spans
from answerable.model.errors import AnswerableError

_SIZE_LIMIT = 1 << 20  # bytes; an account dump has no useful line
_FORMATS = {
    ".json": DocumentFormat.JSON,
    ".jsonc": DocumentFormat.JSON,
    ".yaml": DocumentFormat.YAML,
    ".yml": DocumentFormat.YAML,
    ".toml": DocumentFormat.TOML,
}


@dataclass(eq=False, slots=True)
class LineIndex:
    """Cache of the files whose lines were asked for."""

    _texts: dict[str, str] = field(default_factory=dict)
    _trees: dict[str, SpanNode | None] = field(default_factory=dict)

    def find_line(self, place: str) -> int | None:
        """Return the line of a place; None if the file or the member is gone."""
        file, _, pointer = place.partition("#")
        text = self.read_small_file(file)
        tokens = [
            each.replace("~1", "/").replace("~0", "~") for each in pointer.split("/")
        ]
        tokens = [each for each in tokens if each]
        if not text:
            return None
        if not tokens:
            return 1
        at = self._find_in_tree(file, text, tokens)
        if at is None:
            at = _find_assignment(text, tokens)
        return None if at is None else text.count("\n", 0, at) + 1

    def read_small_file(self, file: str) -> str:
        """Read a small regular file with its line ends; empty if it cannot be read."""
        if file not in self._texts:
            path, text = Path(file), ""
            try:
                if path.is_file() and path.stat().st_size <= _SIZE_LIMIT:
                    text = path.read_bytes().decode("utf-8-sig", errors="replace")
            except OSError:
                text = ""
            self._texts[file] = text
        return self._texts[file]

    def parse_spans(self, file: str, text: str) -> SpanNode | None:
        """Parse the spans of a file; None if it is no document."""
        if file not in self._trees:
            form = _FORMATS.get(Path(file).suffix)
            try:
                self._trees[file] = scan_spans(text, form) if form else None
            except (AnswerableError, ValueError, IndexError, KeyError):
                self._trees[file] = None
        return self._trees[file]

    def _find_in_tree(self, file: str, text: str, tokens: list[str]) -> int | None:
        """Find the offset of a member in a document; None if there is none."""
        node, at = self.parse_spans(file, text), None
        for token in tokens:
            member = node.members.get(token) if node is not None else None
            if member is None:
                break
            node, at = member.value, member.start
        return at


def _find_assignment(text: str, tokens: list[str]) -> int | None:
    """Find the line that sets a name: `NAME=`, `name:`, `[name]` or `@id("name")`."""
    name, at = tokens[-1], 0
    heads = (
        f"{name}=",
        f"{name} =",
        f"{name}:",
        f"[{name}]",
        f"[profile {name}]",
        f'@id("{name}")',
    )
    for line in text.splitlines(keepends=True):
        if line.strip().removeprefix("export ").startswith(heads):
            return at
        at += len(line)
    return None
