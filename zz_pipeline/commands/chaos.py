"""`zz chaos`: the pipeline under faults on purpose, over a sample county and mocked platforms.

Belongs here: the group and which commands are in it. Must not: what they do.
"""

from __future__ import annotations

import typer

from zz_pipeline.commands import chaos_kill, chaos_sim


def register(app: typer.Typer) -> None:
    """Add the group to `zz`."""
    group = typer.Typer(help="故障演练：只用样例县和模拟平台，不碰正式数据。", no_args_is_help=True)

    @group.callback()
    def chaos() -> None:
        """故障演练：只用样例县和模拟平台，不碰正式数据。"""

    chaos_kill.register(group)
    chaos_sim.register(group)
    app.add_typer(group, name="chaos")
