"""From the bytes of a file to text in ASCII."""

from __future__ import annotations

import codecs
import re

from ionvolt.structures.wording import refusal

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_BINARY = "Give a structure file as text, plain or gzipped"


def decoded(data: bytes, name: str) -> str:
    """The text: UTF-8, UTF-16 or UTF-32 with their marks, or else a code page of the West.

    Raises:
        InputError: It is no text.
    """
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    if encoding is None and b"\x1a" in data[-4096:]:
        data = data.rstrip(b"\x1a\0 \t\r\n")  # DOS fills its last block with zeros
    if encoding is None and b"\0" in data[:4096]:
        raise refusal(name, "it holds binary data, not text", _BINARY)
    for choice in (encoding,) if encoding else ("utf-8", "cp1252", "latin-1"):
        try:
            return data.decode(choice).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    raise refusal(name, f"it is not {str(encoding).upper()} text, as it says at its begin", "Save it as UTF-8")


def in_ascii(text: str, name: str) -> str:
    """The text in ASCII, without the mark that DOS put at the end of a file.

    Names of authors, degree signs: nothing that counts lies outside ASCII, and the parser of CIFs takes no other.

    Raises:
        InputError: It is binary data.
    """
    text = text.removeprefix("\ufeff")
    end = text.find("\x1a")
    if end >= 0 and not text[end:].strip("\x1a\0 \t\r\n"):
        text = text[:end]
    if _CONTROL.search(text):
        raise refusal(name, "it holds binary data, not text", _BINARY)
    return text if text.isascii() else text.encode("ascii", "backslashreplace").decode("ascii")
