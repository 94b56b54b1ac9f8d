"""What a file really is, told by its first bytes or its parts, whatever its name says; and how a name is shown.

Belongs here: signs of foreign kinds of files with their Chinese names, names made fit for messages.
Must not: reading tables, refusing (the readers do), guessing an encoding.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from zz_pipeline.standard.canonical import sm3_hex
from zz_pipeline.standard.normalize import visible

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # the stream in which Office keeps a workbook with a password
_STARTS = (
    (ZIP, "Excel 工作簿或压缩包"),
    (OLE, "旧版 .xls 工作簿"),
    (b"%PDF", "PDF 文件"),
    (b"\x89PNG", "图片"),
    (b"\xff\xd8\xff", "图片"),
    (b"GIF8", "图片"),
    (b"Rar!", "RAR 压缩包"),
    (b"7z\xbc\xaf", "7z 压缩包"),
    (b"\x1f\x8b", "gzip 压缩包"),
    (b"SQLite format 3\x00", "数据库文件"),
)
_PAGE = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|table|\?xml|meta|head|body)\b", re.I)
# Packages that are no .xlsx, by a part that only they have.
_PACKAGES = (
    ("xl/workbook.bin", ".xlsb 二进制工作簿"),
    ("content.xml", ".ods 或别的 OpenDocument 文件"),
    ("word/document.xml", "Word 文档"),
    ("ppt/presentation.xml", "演示文稿"),
)
_NAME = 120  # characters: a column of the ledger holds 255, and nobody reads a longer one


def foreign(content: bytes) -> str:
    """The Chinese name of the kind of file that the first bytes show; "" if they show none."""
    if content.startswith(OLE) and _ENCRYPTED in content:
        return "加了密码的工作簿"
    if _PAGE.match(content[:400]):
        return "网页"
    return next((name for start, name in _STARTS if content.startswith(start)), "")


def other_package(names: Collection[str]) -> str:
    """The Chinese name of a zip package that is no .xlsx; "" if its parts show nothing."""
    return next((label for part, label in _PACKAGES if part in names), "压缩包")


def shown(name: str) -> str:
    """A file's name as ledger and messages hold it: bytes and signs that nobody sees are written out, long ones cut.

    Names come from other people's machines: bytes that are no UTF-8, line breaks, escapes, signs that turn the reading round.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    text = visible(text).replace("\n", "\\x0a").replace("\t", "\\x09")
    if len(text) <= _NAME:
        return text
    suffix = Path(text).suffix[-10:]
    return f"{text[: _NAME - len(suffix) - 9]}~{sm3_hex(os.fsencode(name))[:8]}{suffix}"
