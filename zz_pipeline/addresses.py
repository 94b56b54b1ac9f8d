"""Which addresses of platforms may be called at all: the form of a configured url, and the peer that a name led to.

Belongs here: pure judgements, their reasons in Chinese. Must not: sockets, name resolution, configuration files.

A url is scheme, host and port and nothing else, so that no two readers of it can disagree about the host. What a name
leads to is looked at on the standing connection: between a look-up and a connection a name can change its mind.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_URL = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
_HEX = re.compile(r"0x[0-9a-f]*")  # some resolvers read such a part as a number
# Metadata services of cloud hosts that do not lie in the link-local range.
_METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254")))
_LOCAL_NAMES = ("localhost",)


def url_problem(url: str) -> str:
    """Why this url may not be a platform's, in Chinese; empty if it may."""
    if not _URL.fullmatch(url):
        return "应是 http(s)://主机[:端口] 的形式，主机用小写字母、数字、点和连字符，不带用户名、路径、参数"
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        return "端口应在 1–65535 之间"
    last = host.rpartition(".")[2]
    if last.isdigit() or ":" in host:
        return _literal_problem(host)
    if not _NAME.fullmatch(host) or _HEX.fullmatch(last):
        return "主机名不合格（空的一段、末尾的点、首尾的连字符都不行）"
    return ""


def _literal_problem(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "IP 地址写法不合格，请写完整的四段十进制或标准 IPv6"
    return _never(address)


def peer_problem(host: str, peer: str) -> str:
    """Why a connection to `host` that ended at the address `peer` may not be used, in Chinese; empty if it may."""
    address = ipaddress.ip_address(peer.partition("%")[0])
    problem = _never(address)
    if not problem and _plain(address).is_loopback and not _means_this_machine(host):
        problem = "域名解析到了本机"
    return problem


def _means_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host in _LOCAL_NAMES


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address inside a mapped one."""
    return getattr(address, "ipv4_mapped", None) or address


def _never(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return "地址是裹在 IPv6 里的 IPv4，请直接写 IPv4"
    if address.is_link_local or address in _METADATA:
        return "地址是链路本地或云主机元数据服务的地址"
    if address.is_multicast or address.is_unspecified or (address.is_reserved and not address.is_loopback):
        return "地址是组播、未指定或保留地址"
    return ""
