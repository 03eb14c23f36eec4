"""Names and paths that another reader takes for those that a policy reads."""

from typing import Any

HONEST: tuple[dict[str, Any], ...] = (
    {"amount": 5},
    {"amount": 5, "note": "for May...", "Name": "x"},
    {"amount": 5, "path": "/srv/a b/notes..txt"},
    {"amount": 5, "path": "/srv/100%25/gr\u00fcn"},
    {"amount": 5, "opts": {"kind": "small", "note": None}},
)


def spellings(name: str) -> list[str]:
    """Spell a name so that other readers take it for the same."""
    first, rest = name[0], name[1:]
    fullwidth = chr(ord(first) + 0xFEE0)
    return [
        *(name.upper(), name.title(), first + rest.upper(), fullwidth + rest),
        *(f"{name}\0", f"\0{name}", f"{first}\0{rest}", f"{name}\x7f"),
        *(f"{name}\u200b", f"{first}\u200d{rest}", f"\ufeff{name}", f"{name}\u2060"),
        *(f"\u202e{name}", f"{first}\u00ad{rest}", f"{name}\ufe0f", f"{name}\x1f"),
    ]


def lookalikes() -> list[dict[str, Any]]:
    """Arguments of which another reader reads 500,000 where a policy reads less."""
    found: list[dict[str, Any]] = []
    for each in spellings("amount"):
        found += [{"amount": 5, each: 500_000}, {each: 500_000, "amount": 5}]
        found.append({"amount": 5, each: None})
    for each in (*spellings("limit"), "lim\u0131t", "LIMIT"):
        found.append({"amount": 5, each: 1_000_000})
    for each in (*spellings("kind"), "\u212aind"):
        found.append({"amount": 5, "opts": {"kind": "small", each: "big"}})
    found += [{"amount": 5, each: {"kind": "big"}} for each in spellings("opts")]
    return found


UPWARDS = (
    *("/srv/../etc/passwd", "/srv/a/../../etc/passwd", "/srv/..", "/srv/../"),
    *("/srv/%2e%2e/etc/passwd", "/srv/%2E%2e/etc", "/srv/.%2e/etc", "/srv/..%2fetc"),
    *("/srv/%252e%252e/etc/passwd", "/srv/%25252e%25252e%25252fetc", "/srv/..%252fetc"),
    *(
        "/srv/..\\etc",
        "/srv/..%5cetc",
        "/srv/%c0%ae%c0%ae/etc",
        "/srv/%u002e%u002e/etc",
    ),
    *("/srv/..;/etc", "/srv/..;a=b/etc", "/srv/\uff0e\uff0e/etc", "/srv/\u2025/etc"),
    *("/srv/a\0/../../etc", "/srv/a\0.txt", "/srv/a%00.txt", "/srv/a%2500.txt"),
    *("/srv/.\t./etc", "/srv/.\n./etc", "/srv/..?x", "/srv/..#x"),
)
