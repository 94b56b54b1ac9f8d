"""The channels: mail by SMTP, and a group robot's webhook in the form of 企业微信. One try each, never a loop.

Belongs here: one try and what it came to. Must not: retries and their pauses (the ledger has them), wording.

A lost answer doubles: where the connection ends after DATA, or the webhook's answer is lost, nobody knows whether the
message arrived. It is sent again: a warning twice is better than none. Both mails bear the same Message-ID.
"""

from __future__ import annotations

import json
import smtplib
import ssl
import threading
import time
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from zz_pipeline.alerts import config, render
from zz_pipeline.alerts.render import Message
from zz_pipeline.delivery.client import Line, exchange
from zz_pipeline.delivery.protocol import Transport
from zz_pipeline.settings import Settings

MAIL, WEBHOOK = "mail", "webhook"
STEP_SECONDS, CALL_SECONDS = 15.0, 60.0
_BUSY_HTTP = (408, 429)
_BUSY_CODES = (-1, 45009)  # 系统繁忙；超过每分钟 20 条


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a try came to. again: it may go better later; else a person must mend something. error: Chinese, no secrets."""

    sent: bool
    error: str = ""
    again: bool = True


@dataclass(frozen=True, slots=True)
class Address:
    """A webhook's host as `delivery.client.Line` wants it."""

    url: str
    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    call_seconds: float = 30.0
    ca_file: str = ""


def recipients(settings: Settings, dept: str) -> tuple[str, ...]:
    """Mail addresses of a department, or of the office for the empty name; none if mail is not configured."""
    if not settings.county.alerts.smtp_host or not settings.county.alerts.mail_from:
        return ()
    found = settings.departments.get(dept)
    return found.alert_to if found else settings.county.alerts.mail_to if not dept else ()


def channels(settings: Settings, dept: str) -> list[str]:
    """Over which channels a message to this department goes; the robot speaks to the office only."""
    robot = [] if dept or not settings.alert_secrets.webhook_url.get_secret_value() else [WEBHOOK]
    return [*([MAIL] if recipients(settings, dept) else []), *robot]


# ── mail ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def mail(settings: Settings, message: Message) -> Outcome:
    """Send one mail to all recipients of the message's department; the whole exchange ends within a minute."""
    box: list[Outcome] = []
    # A thread, because a server that drips one byte a second passes every time-out of the library.
    thread = threading.Thread(target=lambda: box.append(_mail(settings, message)), daemon=True, name="alert-mail")
    thread.start()
    thread.join(CALL_SECONDS)
    return box[0] if box else Outcome(False, f"邮件服务器在 {CALL_SECONDS:.0f} 秒内没有收完")


def _mail(settings: Settings, message: Message) -> Outcome:
    try:
        with _connected(settings) as server:
            refused = server.send_message(written(settings, message))
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        return Outcome(False, f"邮件服务器拒收全部 {len(codes)} 个收件人", again=any(code < 500 for code in codes))
    except smtplib.SMTPAuthenticationError:
        return Outcome(False, "邮件服务器不接受用户名或口令（secrets.toml [alerts]）", again=False)
    except smtplib.SMTPNotSupportedError:
        return Outcome(
            False, "邮件服务器不支持所要求的加密或登录方式（county.toml [alerts] smtp_security）", again=False
        )
    except smtplib.SMTPResponseException as error:
        return Outcome(False, f"邮件服务器答复 {error.smtp_code}", again=error.smtp_code < 500)
    except (smtplib.SMTPException, OSError) as error:
        return Outcome(False, f"邮件服务器连接不上或中途断开（{type(error).__name__}）")
    return Outcome(True, f"{len(refused)} 个收件人被拒收，请核对地址" if refused else "")


def _connected(settings: Settings) -> smtplib.SMTP:
    """A server that is ready to take a mail; a password never goes over a line that is not encrypted."""
    spec, secrets = settings.county.alerts, settings.alert_secrets
    context = ssl.create_default_context(cafile=spec.smtp_ca_file or None)
    server: smtplib.SMTP
    if spec.smtp_security == "tls":
        server = smtplib.SMTP_SSL(spec.smtp_host, spec.smtp_port, timeout=STEP_SECONDS, context=context)
    else:
        server = smtplib.SMTP(spec.smtp_host, spec.smtp_port, timeout=STEP_SECONDS)
    try:
        if spec.smtp_security == "starttls":
            server.starttls(context=context)
        if secrets.smtp_user and spec.smtp_security != "none":
            server.login(secrets.smtp_user, secrets.smtp_password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server


def written(settings: Settings, message: Message) -> EmailMessage:
    """The mail with a text and an HTML part; the same message has the same Message-ID at every try."""
    spec, mail = settings.county.alerts, EmailMessage()
    mail["Subject"], mail["From"] = render.subject(message), spec.mail_from
    mail["To"] = ", ".join(recipients(settings, message.dept))
    mail["Date"] = formatdate(message.at)
    mail["Message-ID"] = f"<zz-{message.id}-{int(message.at * 1000)}@{spec.mail_from.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(render.text(message))
    mail.add_alternative(render.html(message), subtype="html")
    return mail


# ── webhook ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def webhook(settings: Settings, message: Message) -> Outcome:
    """Post one message to the group robot; only `errcode` 0 means that it was taken."""
    host, path = config.split(settings.alert_secrets.webhook_url.get_secret_value())
    body = json.dumps({"msgtype": "markdown", "markdown": {"content": render.markdown(message)}}, ensure_ascii=False)
    path, _, query = path.partition("?")
    headers: dict[str, str] = {}
    reply = exchange(Line(Address(host)), "POST", path or "/", query, body.encode(), headers, time.time)
    if reply.transport is not Transport.ANSWERED:
        return Outcome(False, f"群机器人没有应答：{reply.error}")
    http, said = reply.http or 0, reply.json if isinstance(reply.json, dict) else {}
    code = said.get("errcode")
    number = type(code) is int  # `false` equals 0, and is no yes
    if http == 200 and number and code == 0:
        return Outcome(True)
    if http == 200 and number:
        return Outcome(False, f"群机器人答复 errcode {code}", again=code in _BUSY_CODES)
    busy = http in _BUSY_HTTP or http >= 500 or http == 200
    return Outcome(False, f"群机器人答复 HTTP {http}{'，内容不合约定' if http == 200 else ''}", again=busy)


SENDERS: dict[str, Any] = {MAIL: mail, WEBHOOK: webhook}
