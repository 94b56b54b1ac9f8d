"""The order and the headings of `zz --help`, and the words of it that typer would say in English.

Belongs here: which command stands under which heading. Must not: commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

PANELS: Mapping[str, tuple[str, ...]] = {
    "每日": ("today", "sync", "backfill", "alerts", "bulletin"),
    "查询": ("status", "departments", "due", "why", "trace", "balance"),
    "处理": ("quarantine", "codes", "decide", "release", "withdraw", "reinstate"),
    "报送与核对": ("reconcile", "stop", "resume", "report"),
    "质量与证明": ("rules", "dictionary", "audit", "faults"),
    "维护": ("init", "doctor", "bench", "chaos"),
}
OTHERS = "维护"
WORDS = {
    "help": "显示帮助后退出。",
    "install_completion": "为当前的 shell 安装命令补全。",
    "show_completion": "显示命令补全脚本，供复制或自行安装。",
}
TITLES = {
    "OPTIONS_PANEL_TITLE": "选项",
    "ARGUMENTS_PANEL_TITLE": "参数",
    "COMMANDS_PANEL_TITLE": "命令",
    "ERRORS_PANEL_TITLE": "用法有误",
    "REQUIRED_LONG_STRING": "[必填]",
    "DEFAULT_STRING": "[默认：{}]",
    "RICH_HELP": "可用 [blue]{command_path} {help_option}[/] 查看帮助。",
}
_PLACE = {name: (panel, n) for n, (panel, name) in enumerate((p, c) for p, cs in PANELS.items() for c in cs)}


def _worded_params(found: list[Any]) -> list[Any]:
    """Parameters with the words of `WORDS`: options that typer adds by itself speak English."""
    for param in found:
        if param.name in WORDS:
            param.help = WORDS[param.name]
    return found


class Command(TyperCommand):
    """A command whose help is Chinese throughout."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Parameters with Chinese words."""
        return _worded_params(super().get_params(ctx))


class Group(TyperGroup):
    """A group whose help is Chinese throughout, its commands in the order in which they were arranged."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Parameters with Chinese words."""
        return _worded_params(super().get_params(ctx))


def arrange(app: typer.Typer) -> None:
    """Give every command its heading and place; one that the table does not know comes last."""
    from typer import rich_utils

    for name, text in TITLES.items():
        if hasattr(rich_utils, name):
            setattr(rich_utils, name, text)
    app.info.cls = Group
    named: list[tuple[str, Any]] = [(_name(i), i) for i in (*app.registered_commands, *app.registered_groups)]
    for name, info in named:
        info.rich_help_panel = _PLACE.get(name, (OTHERS, 0))[0]
    _worded(app)
    app.registered_commands.sort(key=lambda info: _PLACE.get(_name(info), (OTHERS, len(_PLACE)))[1])
    app.registered_groups.sort(key=lambda info: _PLACE.get(_name(info), (OTHERS, len(_PLACE)))[1])


def _worded(app: typer.Typer) -> None:
    for command in app.registered_commands:
        command.cls = Command
    for group in app.registered_groups:
        group.cls = Group
        if group.typer_instance is not None:
            _worded(group.typer_instance)


def _name(info: Any) -> str:
    return str(info.name or (info.callback.__name__ if info.callback else ""))
