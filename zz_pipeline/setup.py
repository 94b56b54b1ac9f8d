"""`zz init`: a complete, commented example of a county's configuration.

Belongs here: copying the example that ships with the checkout. Must not: secrets, state.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from zz_pipeline.errors import ConfigError
from zz_pipeline.settings import CHECKOUT


def write_example(folder: Path) -> list[Path]:
    """Write the example; ConfigError if the folder already holds something."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} 里已有文件，为免覆盖没有生成。请换一个空目录。")
    shutil.copytree(CHECKOUT / "config", folder, dirs_exist_ok=True)
    return sorted(p for p in folder.rglob("*") if p.is_file())
