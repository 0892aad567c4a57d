"""Text for error messages and logs: one line, bounded, without passwords."""

from __future__ import annotations

import re
from collections.abc import Sequence

MESSAGE_CHARACTERS = 2000
PATH_CHARACTERS = 200
MOST_LISTED = 5

_unprintable = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_passwords = re.compile(
    r"(?P<user>//[^\s:/@]*:).+(?=@)"
    # Mistyped URLs too: "redis:/user:password@host", "user:password@host".
    r"|(?P<start>(?:\w[\w+.-]*:)?/*[^\s:/@]*:)(?!//)\S+(?=@)"
    r"|(?P<key>passw(?:or)?d=)[^\s&]+?(?=['\"]?(?:[\s&]|$))",
    re.IGNORECASE,
)


def mask_passwords(text: str) -> str:
    """Return `text` with ``***`` in place of the passwords in its URLs.

    It masks too much rather than too little, because a password in a malformed URL may contain
    any character: ``redis://user:***@host:6379/0``.
    """
    return _passwords.sub(lambda match: f"{match[match.lastgroup or 0]}***", text)


def one_line(text: str, most: int = MESSAGE_CHARACTERS) -> str:
    """Return `text` as one line of at most `most` characters, for a log or an error message.

    Control characters, line separators, directional overrides and lone surrogates are escaped as
    in Python literals. The middle of a longer text is replaced by ``...``.
    """
    if len(text) > most:
        tail = most // 3
        text = f"{text[: most - tail - 3]}...{text[-tail:]}"
    return _unprintable.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def listed(names: Sequence[str]) -> str:
    """Return the first `MOST_LISTED` of `names` as an enumeration, and how many more there are."""
    shown = [one_line(name, PATH_CHARACTERS) for name in names[:MOST_LISTED]]
    if len(names) > MOST_LISTED:
        shown.append(f"{len(names) - MOST_LISTED} more")
    *first, last = shown
    return f"{', '.join(first)} and {last}" if first else last
