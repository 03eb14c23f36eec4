"""Classify values by their form: known token formats, placeholders, randomness.

Every pattern is a run of character classes, matched whole and against at most
SHAPE_LIMIT characters, so matching is linear.
"""

import math
import re
from collections import Counter

from answerable.model.ids import is_access_key_id

SHAPE_LIMIT = 16_384

_SHAPES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("github-token", r"gh[oprsu]_[A-Za-z0-9]{10,}"),
        ("github-token", r"github_pat_[A-Za-z0-9_]{10,}"),
        ("gitlab-token", r"glpat-[A-Za-z0-9_.-]{10,}"),
        ("npm-token", r"npm_[A-Za-z0-9]{10,}"),
        ("slack-token", r"xox[a-z]-[A-Za-z0-9-]{8,}"),
        ("slack-token", r"xapp-[A-Za-z0-9-]{8,}"),
        ("api-key", r"sk-[A-Za-z0-9_-]{10,}"),
        ("api-key", r"[prs]k_(?:live|test)_[A-Za-z0-9]{8,}"),
        ("api-key", r"glsa_[A-Za-z0-9_]{10,}"),
        ("api-key", r"AIza[A-Za-z0-9_-]{20,}"),
        ("api-key", r"hf_[A-Za-z0-9]{10,}"),
        ("api-key", r"(?:ntn|figd|shpat|sbp|lin_api|dop_v1|pypi|tvly)[_-][\w-]{10,}"),
        ("api-key", r"SG\.[\w-]{10,}\.[\w-]{10,}"),
        ("docker-auth", r"dckr_pat_[\w-]{10,}"),
        ("oauth-token", r"ya29\.[\w.-]{10,}"),
        ("bearer-token", r"eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"),
    )
)
_KEY_END = "PRIVATE KEY-----"  # of the first and last line of a private key
_WORDS = re.compile(r"[\s/:,=?&@;|'\"()<>]+")
_PLACEHOLDER = re.compile(
    r"<[^<>]{1,80}>|\[[A-Za-z _-]{1,80}\]|\{\{[^{}]{1,80}\}\}"
    r"|(?:YOUR|your|Your)[A-Za-z]*(?:[-_ ][A-Za-z]+)*"
    r"|(?:insert|INSERT|replace|REPLACE|enter|ENTER)(?:[-_ ][A-Za-z]+)+"
    r"|[xX]{3,}|\*{3,}|\.{3,}|TODO|CHANGE_?ME|changeme-here"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_TOKEN_TEXT = re.compile(r"[A-Za-z0-9_+/=.~-]+")


def classify_secret_format(value: str) -> str:
    """Return the credential kind of a value's form, else empty."""
    if value.startswith("-----BEGIN ") and _KEY_END in value:
        return "private-key"
    if len(value) > SHAPE_LIMIT:
        return ""
    if is_access_key_id(value):
        return "aws-session" if value.startswith("ASIA") else "aws-access-key"
    for kind, pattern in _SHAPES:
        if pattern.fullmatch(value):
            return kind
    return ""


def contains_credential(text: str) -> bool:
    """Return whether a text contains a private key, or a word in a credential's form."""
    return _KEY_END in text or any(map(classify_secret_format, _WORDS.split(text)))


def mask_credentials(text: str) -> str:
    """Replace each word in a credential's form by `***`; of a private key, all text.

    The id of an access key stays: it names a key, and proves nothing.
    """
    if _KEY_END in text:
        return "***"
    words = {
        word
        for word in _WORDS.split(text)
        if classify_secret_format(word) and not is_access_key_id(word)
    }
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "***")
    return text


def is_placeholder(value: str) -> bool:
    """Return whether a value is a placeholder (`<TOKEN>`, `xxx`)."""
    return len(value) <= 100 and _PLACEHOLDER.fullmatch(value.strip()) is not None


def looks_random(text: str) -> bool:
    """Return whether a text looks generated rather than written.

    True for a UUID and for a long mix of letters and digits unlike a name. Redaction
    uses it for texts without other hints.
    """
    if len(text) > SHAPE_LIMIT:
        return True
    if _UUID.fullmatch(text):
        return True
    pieces = _PIECE.findall(text)
    if any(_alternates_like_generated_value(piece) for piece in pieces):
        return True
    whole = "".join(pieces)
    return (
        len(whole) >= 28
        and _TOKEN_TEXT.fullmatch(text) is not None
        and sum(char.isdigit() for char in whole) >= 6
        and compute_entropy(whole) >= 3.8
    )


def _alternates_like_generated_value(run: str) -> bool:
    """Return whether letters and digits alternate as in a generated value."""
    if len(run) < 12:
        return False
    digits = sum(char.isdigit() for char in run)
    if digits == len(run):
        return len(run) > 12
    switches = sum(map(_changes_character_class, run, run[1:]))
    if digits and switches >= max(4, len(run) // 5):
        return True
    return switches >= max(4, len(run) // 4) or (len(run) >= 20 and digits >= 2)


def _changes_character_class(left: str, right: str) -> bool:
    """Return whether two neighbours differ as letter and digit, or in case."""
    # A capital before a small letter is no switch: `CloudWatchLogs` is a name.
    return left.isdigit() != right.isdigit() or (left.islower() and right.isupper())


def compute_entropy(text: str) -> float:
    """Return the entropy of a text, in bits per character."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
