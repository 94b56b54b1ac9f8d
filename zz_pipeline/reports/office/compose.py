"""Writing a bulletin's files, each whole or not at all.

Belongs here: where files go, their names, replacing them at once. Must not: figures, looks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from zz_pipeline.reports.office import book, letter, page
from zz_pipeline.reports.office.files import Files
from zz_pipeline.reports.office.gather import bulletin
from zz_pipeline.reports.office.model import Bulletin
from zz_pipeline.reports.office.period import Period

if TYPE_CHECKING:
    from zz_pipeline.night import Night


def write_files(night: Night, period: Period, folder: Path | None = None) -> Files:
    """Gather and write; the folder is made if it is not there."""
    place = folder or night.settings.home / "reports" / period.last.isoformat()
    return write_bulletin(bulletin(night, period), place)


def write_bulletin(found: Bulletin, place: Path) -> Files:
    """The files of a bulletin that was gathered before."""
    place.mkdir(parents=True, exist_ok=True)
    stem = place / found.period.stem
    files = Files(*(stem.with_name(f"{stem.name}.{ending}") for ending in ("html", "xlsx", "docx", "json")))
    _replace(files.json, orjson.dumps(found.as_dict(), option=orjson.OPT_INDENT_2))
    _replace(files.xlsx, book.render(found))
    _replace(files.docx, letter.render(found, files.xlsx.name))
    _replace(files.html, page.render(found, _links(found, files, place)))
    return files


def _links(found: Bulletin, files: Files, place: Path) -> dict[str, str]:
    """Other files of the folder: the workbook, the document, and the operator's report of the last day if it is there."""
    links = {"明细工作簿": files.xlsx.name, "公文稿": files.docx.name}
    nightly = f"日报-{found.period.last.isoformat()}.html"
    return links | ({"当夜运行日报": nightly} if (place / nightly).exists() else {})


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)
