"""`python -m mock_platforms`: starts the outside world. Every subcommand lives in a module of its own, loaded on use.

Belongs here: the table of subcommands. Must not: what they do.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

# name → module; the module has a function of that name, or a Typer application `app`.
_COMMANDS = {
    "platforms": "mock_platforms.serve",
    "sources": "mock_platforms.county.serve_http",
    "county": "mock_platforms.county.cli",
    "demo": "mock_platforms.demo",
    "ui": "mock_platforms.ui",
}
_HELP = """外部世界：模拟的政府平台、样例县的部门系统。

启动全部平台：python -m mock_platforms platforms --dir 目录 --credentials 凭证.json --credit-dir 目录

只启动一个：加 --only double_random（或 internet_supervision、publicity、credit）
"""


class _Lazy(TyperGroup):
    """A group whose commands are imported when they are asked for: the platforms must not wait for the demo's imports."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name, module in _COMMANDS.items() if find_spec(module)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(_COMMANDS[cmd_name])
        made = getattr(module, "app", None)
        if not isinstance(made, typer.Typer):
            made = typer.Typer(add_completion=False)
            made.command(cmd_name)(getattr(module, cmd_name))
        command = typer.main.get_command(made)
        command.name = cmd_name
        return command


app = typer.Typer(cls=_Lazy, help=_HELP, add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def main() -> None:
    """Nothing is done without a subcommand."""


if __name__ == "__main__":
    app()
