"""Which adapter speaks which contract.

Belongs here: the table. Must not: behaviour.
"""

from __future__ import annotations

from zz_pipeline.delivery.protocol import Adapter
from zz_pipeline.errors import ConfigError
from zz_pipeline.platforms.double_random import DoubleRandom
from zz_pipeline.platforms.internet_supervision import InternetSupervision
from zz_pipeline.platforms.publicity import Publicity

_ADAPTERS: dict[str, Adapter] = {a.name: a for a in (DoubleRandom(), InternetSupervision(), Publicity())}


def adapter(name: str) -> Adapter:
    """The adapter of that contract; ConfigError if there is none."""
    found = _ADAPTERS.get(name)
    if found is None:
        known = "、".join(_ADAPTERS)
        raise ConfigError(f"平台配置中的 adapter 写的是 {name}，没有这种接口。可用的有：{known}。")
    return found
