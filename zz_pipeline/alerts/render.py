"""A message in the forms of its channels: mail (text and HTML), markdown for a group robot.

Belongs here: forms. Must not: choosing what is told, addresses, sending.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from typing import Any

import jinja2

from zz_pipeline.alerts.outbox import CHANGES, OVER
from zz_pipeline.alerts.trouble import ERROR, INFO, SEVERITIES

BEIJING = timezone(timedelta(hours=8))
MARKDOWN_BYTES = 4096  # 企业微信 refuses more
COLORS = {ERROR: "warning", INFO: "info"}
SUBJECT_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be said: entries as `outbox.Change.as_dict` gives them; `to`: the department's Chinese name."""

    id: int
    dept: str
    county: str
    to: str
    at: float
    entries: Sequence[dict[str, Any]]


def subject(message: Message) -> str:
    """One line: how much of what, or the thing itself if there is one only."""
    if len(message.entries) == 1:
        entry = message.entries[0]
        what = f"【{_level(entry)}】{entry['title']}"
    else:
        counts: dict[str, int] = {}
        for entry in message.entries:
            counts[_level(entry)] = counts.get(_level(entry), 0) + 1
        what = "、".join(f"{level} {n} 项" for level, n in counts.items())
    line = " ".join(f"{message.county}监管数据管道（{message.to}）：{what}".split())
    return line if len(line) <= SUBJECT_LONGEST else line[: SUBJECT_LONGEST - 1] + "…"


def text(message: Message) -> str:
    """The plain text part."""
    lines = [f"{message.to}：", ""]
    for n, entry in enumerate(message.entries, 1):
        lines += [f"{n}. 【{_level(entry)}】{entry['title']}（{_when(entry['since'])} 起）"]
        lines += [f"   {entry['text']}"] if entry["text"] else []
    return "\n".join([*lines, "", f"{_when(message.at)} 由 zz-pipeline 自动发出。现在的情况请执行 zz today 查看。", ""])


def html(message: Message) -> str:
    """The HTML part: one table, nothing from outside."""
    rows = [{**e, "level": _level(e), "from_": _when(e["since"])} for e in message.entries]
    return _template().render(to=message.to, rows=rows, at=_when(message.at))


def markdown(message: Message) -> str:
    """The robot's text, at most `MARKDOWN_BYTES` in UTF-8; what does not fit is counted."""
    head = f"**{subject(message)}**"
    parts: list[str] = []
    for n, entry in enumerate(message.entries):
        color = COLORS.get(entry["severity"], "comment") if entry["change"] != OVER else "info"
        part = f'\n> <font color="{color}">{_level(entry)}</font> {entry["title"]}'
        part += f"\n> {entry['text']}" if entry["text"] else ""
        rest = f"\n其余 {len(message.entries) - n} 项见 zz alerts"
        if len((head + "".join(parts) + part + rest).encode()) > MARKDOWN_BYTES:
            return head + "".join(parts) + rest
        parts.append(part)
    return head + "".join(parts)


def _level(entry: dict[str, Any]) -> str:
    """Severity of what is new, the change of what was known."""
    return CHANGES[entry["change"]] if entry["change"] == OVER else SEVERITIES[entry["severity"]]


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("zz_pipeline.alerts", "templates")
    env = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return env.get_template("message.html")
