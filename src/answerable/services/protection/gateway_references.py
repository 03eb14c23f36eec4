"""References to the gateway in a client's file: its configuration, servers and secrets."""

from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

from answerable.connectors.formats.document_node import walk_scalars
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.model.errors import ParseError

_PLACEHOLDER = "{answerable:"
_REPOSITORY_FOLDER = ".answerable"


def has_new_references(
    original: bytes | None,
    content: bytes,
    form: DocumentFormat,
    configs: Collection[Path],
) -> bool:
    """Return whether a content refers to the gateway where the original did not.

    Args:
        original: The file before `protect`; None for no file.
        content: The file as it would be after the undo.
        form: Format of both.
        configs: Files of the gateway's configuration.
    """
    known = set(_list_texts(original or b"", form))
    names = (_PLACEHOLDER, *map(_format_config, configs))
    return any(
        name in text
        for text in _list_texts(content, form)
        if text not in known
        for name in names
    )


def needs_secret(content: bytes, form: DocumentFormat, secret: Path) -> bool:
    """Return whether a client's file names a stored secret or starts its server."""
    server = secret.name.rpartition(".")[0]
    texts = _list_texts(content, form)
    reference = f"{_PLACEHOLDER}{secret.name}}}"
    return any(reference in text for text in texts) or (
        ("--server", server) in pairwise(texts)
    )


def _format_config(path: Path) -> str:
    """Return a configuration's path as clients' files have it."""
    if path.parent.name == _REPOSITORY_FOLDER:
        return f"{_REPOSITORY_FOLDER}/{path.name}"
    return str(path)


def _list_texts(data: bytes, form: DocumentFormat) -> list[str]:
    """List the scalars of a document; its whole text where it cannot be parsed."""
    try:
        root = parse_document(data, form, "").root
    except ParseError:
        return [data.decode("utf-8", "replace")]
    return [node.text() for node in walk_scalars(root)]
