"""Text as the graph keeps it (NFC), and as it compares it (folded).

Normalization forms: Unicode Standard Annex #15.
"""

from __future__ import annotations

import unicodedata


def nfc(text: str) -> str:
    """The text in Unicode normalization form C; ASCII comes back as it is."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """What two spellings have in common: no compatibility forms, case or accents, and single spaces.

    For comparison, sorting and search only; never for display. ``fold("Mediaș") == fold("MEDIAS") == "medias"``.
    """
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text).casefold()
        # A second time, because casefolding can bring new compositions (İ becomes i and a combining dot).
        decomposed = unicodedata.normalize("NFKD", decomposed)
        text = unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))
    else:
        text = text.lower()
    return " ".join(text.split())
