"""What a browser would make of a page: nothing from outside may be more than text."""

from html.parser import HTMLParser

# What stands on our pages, and runs nothing that is not ours.
_BEARERS = ("href", "src", "action", "formaction", "xlink:href")

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "'><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "agent:‮evil​",
    "{{ 7 * 7 }}",
    "x" * 10_000,
)


class _MarkupReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag in ("img", "iframe", "object", "embed", "base"):
            self.faults.append(f"<{tag}>")
        if tag == "script" and not (said.get("src") or "").startswith("/assets/"):
            self.faults.append("a script that is not ours")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.faults.append(f"{tag} {name}={value!r}")
            if name in _BEARERS and not (value or "").startswith(
                ("/", "#", "?", "data:,")
            ):
                self.faults.append(f"{tag} {name}={value!r}")
            if name in _BEARERS and (value or "").startswith("//"):
                self.faults.append(f"{tag} {name}={value!r}")

    def handle_data(self, data: str) -> None:
        if any(letter in data for letter in "‮​"):
            self.faults.append("a letter that moves others")


def markup_faults(markup: str) -> list[str]:
    """List what in a page could run, lead elsewhere or deceive the eye."""
    reading = _MarkupReader()
    reading.feed(markup)
    reading.close()
    return reading.faults
