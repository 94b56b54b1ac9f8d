"""Which adapter speaks which contract: the three of this package by name, any other one by `package.module:Class`.

Belongs here: finding and checking an adapter that the configuration names. Must not: what adapters do.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from zz_pipeline.delivery.protocol import Adapter
from zz_pipeline.errors import ConfigError
from zz_pipeline.platforms.double_random import DoubleRandom
from zz_pipeline.platforms.internet_supervision import InternetSupervision
from zz_pipeline.platforms.publicity import Publicity

_ADAPTERS: dict[str, Adapter] = {a.name: a for a in (DoubleRandom(), InternetSupervision(), Publicity())}
# What every adapter must be able to do (protocol.Adapter).
DUTIES = (
    "path", "number", "render", "freeze", "limit", "read", "ask", "probe", "listing", "claims", "content_hash",
)  # fmt: skip


def adapter(name: str) -> Adapter:
    """The adapter that a platform file names; ConfigError if there is none, or if it cannot do its duties."""
    found = _ADAPTERS.get(name)
    if found is not None:
        return found
    if ":" not in name:
        known = "、".join(_ADAPTERS)
        raise ConfigError(
            f"平台配置中的 adapter 写的是 {name}，没有这种接口。可用的有：{known}；另写的接口模块请写成 包.模块:类名。"
        )
    return _loaded(name)


def contract(name: str) -> str:
    """The contract's own name, by which a platform calls itself in /health; ConfigError as above."""
    return _loaded(name).name if ":" in name else name


@cache
def _loaded(name: str) -> Adapter:
    module, _, attribute = name.partition(":")
    try:
        made: Adapter = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"平台配置中的 adapter 写的是 {name}，装不进来（{type(error).__name__}）。请写成 包.模块:类名，并确认该模块已随本程序安装。"
        ) from None
    lacking = [duty for duty in DUTIES if not callable(getattr(made, duty, None))]
    if lacking or not isinstance(getattr(made, "name", None), str):
        said = "、".join(lacking) or "name"
        raise ConfigError(f"接口模块 {name} 不完整，缺少：{said}。请按 docs/platforms.md 补齐后再启用。")
    return made
