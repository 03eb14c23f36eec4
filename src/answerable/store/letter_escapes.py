r"""Decode letters and digits that a text has as `%61` or `\u0061`, also nested.

Other signs stay encoded: a decoded `+` would be taken for a space, a decoded delimiter
for a part of a name.
"""

import re

from answerable.store.mention_pattern import MARK

_CODES = "3[0-9]|[46][1-9A-F]|[57][0-9A]"  # letters and digits in ASCII
_OTHER_CODES = "[0-289A-F][0-9A-F]|3[A-F]|[46]0|[57][B-F]"
_JSON = r"(?:\\|%(?:25)*5C)+u00"
_HAS_ESCAPE = rf"(?i)(?:%|u00)(?:25)*(?:{_CODES})"
_ESCAPE = re.compile(rf"(?i)(?:%|{_JSON})(?:25)*({_CODES})")
_SEVERAL = r"(?:\\|%(?:25)*5C)(?:\\|%(?:25)*5C)+u00"
_AFTER_BACKSLASH = re.compile(rf"(?i){_SEVERAL}(?:25)*({_CODES})")
_ROUNDS = 3  # an escape may have escaped digits


def decode_letters(text: str, *, keeps_backslash: bool = False) -> str:
    r"""Decode the letters and digits of a text.

    Args:
        text: The text.
        keeps_backslash: Put a mark before a letter after several backslashes, of which
            one may be a sign of the text: `CORP\\u0061da` is `CORP\ada` or `CORPada`.
    """
    for _ in range(_ROUNDS):
        if keeps_backslash:
            text = _AFTER_BACKSLASH.sub(rf"{MARK}%\1", text)
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return text


def has_escaped_letter(text: str) -> bool:
    """Return whether a text may have an escaped letter or digit."""
    import re2  # slow to import

    return re2.search(_HAS_ESCAPE, text) is not None


def build_escape_test_sql(text: str) -> str:
    """Build the SQL of `has_escaped_letter`."""
    return f"regexp_matches({text}, '{_HAS_ESCAPE}')"


def build_decoded_sql(text: str, *, keeps_backslash: bool = False) -> str:
    """Build the SQL of `decode_letters`."""
    for _ in range(_ROUNDS):
        if keeps_backslash:
            text = (
                f"regexp_replace({text}, '{_SEVERAL}(?:25)*({_CODES})', "
                rf"'{MARK}%\1', 'gi')"
            )
        # `url_decode` decodes every sign: only letters and digits are left to it.
        text = f"regexp_replace({text}, '(?:{_JSON})(?:25)*({_CODES})', '%\\1', 'gi')"
        text = f"regexp_replace({text}, '%(?:25)+({_CODES})', '%\\1', 'gi')"
        text = f"regexp_replace({text}, '%({_OTHER_CODES})', '%25\\1', 'gi')"
        text = f"url_decode({text})"
    return text
