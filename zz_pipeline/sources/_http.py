"""GET of one JSON page from a department's interface: bounded in time and size, read strictly.

Belongs here: the only use of requests in `sources`. Must not: paging, headings, following redirects, environment proxies.
Source: operations.md "Outbound HTTP"; design 5 rule 10.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import requests
import urllib3

from zz_pipeline.errors import SourceDown, SourceRefused

LIMIT = 4 * 1024 * 1024
CONNECT_SECONDS = 5.0
_BLOCK = 65536


class _Session(requests.Session):
    """A session that keeps nothing of its surroundings and looks at no redirect."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: requests would otherwise read the whole body of a 3xx to prepare a next request nobody wants."""
        return None


def get_json(url: str, query: Mapping[str, str], *, read_seconds: float, call_seconds: float = 60.0) -> Any:
    """The JSON value at `url`; SourceDown if it cannot be had now, SourceRefused if the answer is not acceptable."""
    box: list[Any] = []

    def work() -> None:
        try:
            box.append(_fetch(url, query, read_seconds, time.monotonic() + call_seconds))
        except Exception as error:  # handed to the caller's thread below
            box.append(error)

    # A thread, because headers that drip one byte a second pass every time-out of the library.
    thread = threading.Thread(target=work, daemon=True, name="source-http")
    thread.start()
    thread.join(call_seconds)
    if not box:
        raise SourceDown(f"接口在 {call_seconds:.0f} 秒内没有答完。请核对对方服务，稍后重跑。")
    if isinstance(box[0], Exception):
        raise box[0]
    return read_json(box[0])


def _fetch(url: str, query: Mapping[str, str], read_seconds: float, deadline: float) -> bytes:
    with _Session() as session:
        session.headers.update({"Accept": "application/json", "Accept-Encoding": "identity"})
        try:
            with session.get(
                url, params=dict(query), timeout=(CONNECT_SECONDS, read_seconds), allow_redirects=False, stream=True
            ) as answer:
                _check_status(answer.status_code)
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise SourceRefused("接口的答复是压缩过的，不予接受。请对方按约定直接返回 JSON。")
                return _body(answer, deadline)
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ) as e:
            raise SourceRefused("来源地址不是 http(s) 地址。请管理员核对部门目录里的 url 与 path。") from e
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise SourceDown(f"接口连接不上或中途断开（{type(error).__name__}）。请核对对方服务，稍后重跑。") from error


def _check_status(status: int) -> None:
    if status == 200:
        return
    if status in (408, 429) or status >= 500:
        raise SourceDown(f"接口暂时不能服务（HTTP {status}）。稍后重跑；反复出现请联系对方。")
    if 300 <= status < 400:
        raise SourceRefused(f"接口要求转到别的地址（HTTP {status}），不予跟随。请管理员核对登记的地址。")
    raise SourceRefused(f"接口拒绝了请求（HTTP {status}）。请管理员与对方核对地址、权限与参数。")


def _body(answer: requests.Response, deadline: float) -> bytes:
    declared = answer.headers.get("Content-Length", "")
    content = bytearray()
    while block := answer.raw.read1(_BLOCK):
        content += block
        if len(content) > LIMIT:
            raise SourceRefused("接口一页的答复超过 4 MiB。请把 page_size 调小。")
        if time.monotonic() > deadline:
            raise SourceDown("接口答得太慢，超过了整次请求的时限。请核对对方服务，稍后重跑。")
    if declared.isdigit() and len(content) != int(declared):
        raise SourceDown("接口的答复没有传完。稍后重跑。")
    return bytes(content)


def read_json(content: bytes) -> Any:
    """One JSON value, UTF-8, no key twice, no NaN; numbers with a point as Decimal so that no digit is lost."""
    try:
        return json.loads(
            content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=Decimal
        )
    except (ValueError, RecursionError) as error:
        raise SourceRefused(
            f"接口的答复不是合格的 JSON（{type(error).__name__}：可能是编码不对、重复的键或 NaN）。请对方核对接口。"
        ) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _constant(name: str) -> Any:
    raise ValueError(name)
