"""Alerts: what is wrong is said once for each change, to the right people, over every channel, and never lost.

Belongs here: looking, the outbox, mail and robot as their receivers see them. Must not: whole nights (other tests have them).
"""

import inspect
import json
import socket
from datetime import date, datetime

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import insert, select, text, update
from sqlalchemy import inspect as schema_of

from tests.pipeline.receivers import receivers
from tests.pipeline.small_county import FINISHED, ONE, record, small
from zz_pipeline.alerts import outbox, send, turn, watch
from zz_pipeline.alerts.config import AlertSecrets, AlertSpec, read_secrets
from zz_pipeline.alerts.trouble import ERROR, INFO, LABELS, WARNING, Kind, Trouble
from zz_pipeline.delivery import people
from zz_pipeline.errors import ConfigError
from zz_pipeline.ledger import intake
from zz_pipeline.ledger.db import MIGRATIONS, Ledger
from zz_pipeline.ledger.schema import (
    alert_message,
    alert_sending,
    alert_state,
    audit_event,
    lane,
    reconciliation,
    unknown_code,
)
from zz_pipeline.ledger.schema import outbox as rows
from zz_pipeline.reports.day import write_day_report
from zz_pipeline.settings import load_settings

NOW = datetime.fromisoformat("2026-11-24T10:00:00+08:00").timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
OFFICE_MAIL, DEPT_MAIL = "office@example.gov.cn", "scjg@example.gov.cn"
PERSON = "610124195001010012"  # has the form of a resident ID; the check digit is wrong
MOBILE = "13800138000"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Mocks that run for all tests of the module; each test has a ledger of its own."""
    with small(tmp_path_factory.mktemp("alerts")) as place:
        yield place


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    yield ledger
    ledger.close()


@pytest.fixture
def told(shared):
    """Settings that lead to a mail server and a robot, and these two."""
    with receivers() as (mail, robot):
        yield with_channels(shared.settings, mail.port, robot.url), mail, robot


def with_channels(settings, port, url):
    spec = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", "mail_from": "zz@example.gov.cn"}
    alerts = AlertSpec(**spec, mail_to=(OFFICE_MAIL,))
    depts = dict(settings.departments)
    depts["SCJG"] = depts["SCJG"].model_copy(update={"alert_to": (DEPT_MAIL,)})
    county = settings.county.model_copy(update={"alerts": alerts})
    changes = {"county": county, "departments": depts, "alert_secrets": AlertSecrets(webhook_url=url)}
    return settings.model_copy(update=changes)


def trouble(key="lane:x", dept="SCJG", severity=ERROR, size=1, kind=Kind.LANE_STOPPED, words="请处理。"):
    return Trouble(key, kind, dept, severity, f"样例事项 {key}", words, NOW, size)


def sendings(ledger):
    with ledger.read() as conn:
        return [(r.message_id, r.channel, r.state, r.attempts) for r in conn.execute(select(alert_sending))]


def body(mail):
    return mail.get_body(("plain",)).get_content()


# ── once for each change ────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_trouble_is_told_when_it_is_new_when_it_is_worse_and_when_it_is_over_and_not_in_between(ledger):
    def changes(*found):
        return [(c.change, c.trouble.key) for c in outbox.put(ledger, found, NOW)]

    assert changes(trouble(severity=WARNING)) == [("new", "lane:x")]
    assert changes(trouble(severity=WARNING)) == []
    assert changes(trouble(severity=WARNING, size=1, words="别的话")) == []
    assert changes(trouble(severity=ERROR)) == [("worse", "lane:x")]
    assert changes(trouble(severity=ERROR, size=2)) == [("worse", "lane:x")]
    assert changes(trouble(severity=ERROR, size=3)) == []
    assert changes() == [("over", "lane:x")]
    assert changes() == []
    assert changes(trouble()) == [("new", "lane:x")]


def test_what_is_only_information_ends_without_a_word(ledger):
    night = trouble("night:1", "", INFO, kind=Kind.NIGHT_DONE)
    assert [c.change for c in outbox.put(ledger, [night], NOW)] == ["new"]
    assert outbox.put(ledger, [], NOW) == []
    with ledger.read() as conn:
        assert conn.execute(select(alert_state)).all() == []


def test_a_department_gets_its_own_troubles_in_one_message_and_the_office_gets_all(ledger, told):
    settings, mail, robot = told
    outbox.put(ledger, [trouble("a"), trouble("b"), trouble("c", "HBJ"), trouble("d", "")], NOW)
    sent = send.flush(settings, ledger, NOW)
    assert {(s.department, s.channel, s.state) for s in sent} == {
        ("", "mail", "sent"), ("", "webhook", "sent"), ("SCJG", "mail", "sent"),
    }  # fmt: skip
    by_to = {m["To"]: body(m) for m in mail.mails}
    assert set(by_to) == {OFFICE_MAIL, DEPT_MAIL}
    assert [k for k in "abcd" if f"样例事项 {k}" in by_to[DEPT_MAIL]] == ["a", "b"]
    assert [k for k in "abcd" if f"样例事项 {k}" in by_to[OFFICE_MAIL]] == ["a", "b", "c", "d"]
    assert len(robot.messages) == 1


def test_a_mail_has_a_text_part_and_an_html_part_and_html_in_a_text_is_inert(ledger, told):
    settings, mail, _ = told
    outbox.put(ledger, [trouble(dept="", words="<script>x</script> 请处理。")], NOW)
    send.flush(settings, ledger, NOW)
    (found,) = mail.mails
    assert "<script>x</script> 请处理。" in body(found)
    page = found.get_body(("html",)).get_content()
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "周至县" in found["Subject"]
    assert found["Auto-Submitted"] == "auto-generated"


def test_a_robot_gets_markdown_of_at_most_4096_bytes_that_counts_what_it_leaves_out(ledger, told):
    settings, _, robot = told
    outbox.put(ledger, [trouble(f"key-{n}", "", words="很长的说明。" * 20) for n in range(60)], NOW)
    send.flush(settings, ledger, NOW)
    (message,) = robot.messages
    content = message["markdown"]["content"]
    assert message.keys() == {"msgtype", "markdown"}
    assert message["msgtype"] == "markdown"
    assert 2000 < len(content.encode()) <= 4096
    told_of = content.count("样例事项")
    assert f"其余 {60 - told_of} 项见 zz alerts" in content
    assert robot.paths == ["/cgi-bin/webhook/send?key=robot-key-canary"]


# ── receivers that are down ─────────────────────────────────────────────────────────────────────────────────────────────
def test_fault_68_an_alert_waits_for_a_channel_that_is_down_goes_over_the_other_and_arrives_once_when_it_is_back(
    shared, ledger
):
    with socket.socket() as nobody, receivers() as (mail, robot):
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: refused
        settings = with_channels(shared.settings, nobody.getsockname()[1], robot.url)
        outbox.put(ledger, [trouble("a", "")], NOW)
        first = send.flush(settings, ledger, NOW)
        assert [(s.channel, s.state) for s in first] == [("mail", "waiting"), ("webhook", "sent")]
        assert send.flush(settings, ledger, NOW + 1) == []
        outbox.put(ledger, [trouble("a", ""), trouble("b", "")], NOW + 2)
        send.flush(settings, ledger, NOW + 2)
        back = with_channels(shared.settings, mail.port, robot.url)
        for later in (DAY, DAY + HOUR):
            send.flush(back, ledger, NOW + later)
        assert sorted("样例事项 b" in body(m) for m in mail.mails) == [False, True]
        assert len(robot.messages) == 2
        assert {s[2] for s in sendings(ledger)} == {"sent"}


def test_fault_68_no_alert_is_lost_while_both_channels_are_down_for_two_days(shared, ledger):
    with socket.socket() as nobody, receivers() as (mail, robot):
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        down = with_channels(shared.settings, port, f"http://127.0.0.1:{port}/x")
        for n in range(20):
            outbox.put(ledger, [trouble(f"key-{m}", "") for m in range(n + 1)], NOW + n)
        for hour in range(48):
            send.flush(down, ledger, NOW + 20 + hour * HOUR)
        assert {s[2] for s in sendings(ledger)} == {"waiting"}
        for n in range(3):
            send.flush(with_channels(shared.settings, mail.port, robot.url), ledger, NOW + (3 + n) * DAY)
        assert len(mail.mails) == len(robot.messages) == 20
        said = "".join(body(m) for m in mail.mails)
        assert all(f"样例事项 key-{n}（" in said for n in range(20))


def test_pauses_between_tries_grow_and_stand_in_the_table(shared, ledger):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings = with_channels(shared.settings, nobody.getsockname()[1], "")
        outbox.put(ledger, [trouble("a", "")], NOW)
        at, pauses = NOW, []
        for _ in range(6):
            assert len(send.flush(settings, ledger, at)) == 1
            with ledger.read() as conn:
                due = conn.execute(select(alert_sending.c.next_at)).scalar_one()
            pauses.append(due - at)
            assert send.flush(settings, ledger, due - 1) == []
            at = due
    assert pauses == [60, 300, 900, 3600, 14400, 43200]


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"MAIL": "451 later"}, "waiting"),
        ({"MAIL": "550 no"}, "failed"),
        ({"RCPT": "450 busy"}, "waiting"),
        ({"RCPT": "550 unknown"}, "failed"),
        ({"BODY": "452 full"}, "waiting"),
        ({"BODY": "554 refused"}, "failed"),
    ],
)
def test_a_mail_server_that_says_later_is_tried_again_and_one_that_says_no_is_not(ledger, told, answers, state):
    settings, mail, _ = told
    mail.answers = answers
    outbox.put(ledger, [trouble("a", "")], NOW)
    (sent,) = [s for s in send.flush(settings, ledger, NOW) if s.channel == "mail"]
    assert (sent.state, sent.attempts) == (state, 1)
    assert sent.error
    assert "@" not in sent.error
    mail.answers = {}
    again = [s.state for s in send.flush(settings, ledger, NOW + HOUR) if s.channel == "mail"]
    assert again == (["sent"] if state == "waiting" else [])
    if state == "failed":
        found = [t for t in watch.look(settings, ledger, NOW + HOUR) if t.kind is Kind.NOT_TOLD]
        assert "邮件" in found[0].text
        assert send.again(ledger, NOW + HOUR) == 1
        assert [s.state for s in send.flush(settings, ledger, NOW + HOUR)] == ["sent"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((500, "oops"), "waiting"),
        ((503, "{}"), "waiting"),
        ((429, "{}"), "waiting"),
        ((404, "{}"), "failed"),
        ((302, ""), "waiting"),
        ((200, "not json"), "waiting"),
        ((200, {"errcode": 45009, "errmsg": "freq"}), "waiting"),
        ((200, {"errcode": 93000, "errmsg": "invalid webhook url"}), "failed"),
        ((200, {"errcode": False}), "waiting"),
        ((200, {"errcode": "0"}), "waiting"),
        ((200, []), "waiting"),
    ],
)
def test_only_errcode_zero_means_that_the_robot_took_a_message(ledger, told, answer, state):
    settings, _, robot = told
    robot.answer = answer
    outbox.put(ledger, [trouble("a", "")], NOW)
    (sent,) = [s for s in send.flush(settings, ledger, NOW) if s.channel == "webhook"]
    assert sent.state == state
    assert "canary" not in sent.error
    robot.answer = (200, {"errcode": 0})
    again = [s.state for s in send.flush(settings, ledger, NOW + HOUR) if s.channel == "webhook"]
    assert again == (["sent"] if state == "waiting" else [])


def test_a_mail_whose_answer_was_lost_is_sent_again_under_the_same_number(ledger, told):
    settings, mail, _ = told
    mail.cut = "DATA"
    outbox.put(ledger, [trouble("a", "")], NOW)
    send.flush(settings, ledger, NOW)
    mail.cut = ""
    send.flush(settings, ledger, NOW + HOUR)
    assert len(mail.mails) == 2
    assert len({m["Message-ID"] for m in mail.mails}) == 1


def test_two_processes_that_flush_at_once_send_a_message_once(ledger, told):
    settings, mail, _ = told
    outbox.put(ledger, [trouble("a", "")], NOW)
    send._plan(settings, ledger, NOW)
    assert send._claim(ledger, 1, "mail", NOW)
    assert not send._claim(ledger, 1, "mail", NOW)
    assert [s.channel for s in send.flush(settings, ledger, NOW)] == ["webhook"]
    assert mail.mails == []
    assert [s.channel for s in send.flush(settings, ledger, NOW + send.LEASE)] == ["mail"]  # the claimant died


def test_a_password_never_goes_over_a_line_that_is_not_encrypted(ledger, told):
    settings, mail, _ = told
    secrets = AlertSecrets(smtp_user="zz", smtp_password="canary-password-canary-password")
    settings = settings.model_copy(update={"alert_secrets": secrets})
    alerts = settings.county.alerts.model_copy(update={"smtp_security": "starttls"})
    strict = settings.model_copy(update={"county": settings.county.model_copy(update={"alerts": alerts})})
    outbox.put(ledger, [trouble("a", "")], NOW)
    (sent,) = send.flush(strict, ledger, NOW)
    assert (sent.state, mail.mails) == ("failed", [])
    assert "加密" in sent.error


def test_without_any_channel_messages_wait_and_stale_ones_are_not_sent_when_one_is_configured(shared, ledger, told):
    settings, mail, _ = told
    outbox.put(ledger, [trouble("old", "")], NOW - 8 * DAY)
    outbox.put(ledger, [trouble("old", ""), trouble("new", "")], NOW - HOUR)
    assert send.flush(shared.settings, ledger, NOW) == []
    assert send.counts(ledger)["unplanned"] == 2
    send.flush(settings, ledger, NOW)
    assert ["样例事项 new" in body(m) for m in mail.mails] == [True]
    assert send.counts(ledger) == {"waiting": 0, "failed": 0, "sent": 2, "unplanned": 0}


# ── what is seen ────────────────────────────────────────────────────────────────────────────────────────────────────────
def kinds(settings, ledger, now=NOW):
    return {t.kind for t in watch.look(settings, ledger, now)}


def failed_reading(ledger, dept="HBJ", error="来源连接不上。", day=date(2026, 11, 23)):
    number = intake.begin(ledger, day, dept, "inspection", None, None, NOW - HOUR)
    intake.fail(ledger, number, error, NOW - HOUR)


def test_an_untouched_ledger_has_no_trouble(shared, ledger):
    assert watch.look(shared.settings, ledger, NOW) == []


def test_a_source_that_failed_is_said_with_its_department_and_over_when_it_was_read(shared, ledger):
    failed_reading(ledger)
    (found,) = [t for t in watch.look(shared.settings, ledger, NOW) if t.kind is Kind.SOURCE_FAILED]
    assert (found.department, found.severity) == ("HBJ", ERROR)
    assert "来源连接不上" in found.text
    assert found.command == "zz backfill 2026-11-23 2026-11-23 --dept HBJ"
    number = intake.begin(ledger, date(2026, 11, 23), "HBJ", "inspection", None, None, NOW)
    with ledger.begin() as conn:
        intake.close(conn, number, "EMPTY", NOW)
    assert Kind.SOURCE_FAILED not in kinds(shared.settings, ledger)


def test_a_reading_under_way_is_no_trouble_and_one_that_died_hours_ago_is(shared, ledger):
    intake.begin(ledger, date(2026, 11, 23), "HBJ", "inspection", None, None, NOW - HOUR)
    assert Kind.SOURCE_FAILED not in kinds(shared.settings, ledger)
    assert Kind.SOURCE_FAILED in kinds(shared.settings, ledger, NOW + 2 * HOUR)


def test_a_stopped_lane_the_stop_switch_an_unreconciled_platform_and_unknown_codes_are_seen(shared, ledger):
    with ledger.begin() as conn:
        conn.execute(insert(lane).values(platform=ONE, dept="SCJG", stopped="凭证被平台拒绝", taken_at=NOW))
        values = {"day": "2026-11-23", "platform": ONE, "state": "FAILED", "error": "平台没有应答。", "at": NOW}
        conn.execute(insert(reconciliation).values(**values))
        seen = {"first_seen": NOW, "last_seen": NOW, "count": 3, "state": "OPEN"}
        value = {"dept": "HBJ", "field": "result", "raw": "样例值", "set": "检查结果"}
        conn.execute(insert(unknown_code).values(**value, **seen, decided_by=""))
    people.set_stop(ledger, True, actor="张某", note="样例", now=NOW)
    found = {t.kind: t for t in watch.look(shared.settings, ledger, NOW)}
    assert {Kind.LANE_STOPPED, Kind.SWITCHED_OFF, Kind.PLATFORM, Kind.UNKNOWN_CODES} <= found.keys()
    assert found[Kind.LANE_STOPPED].command.startswith(f"zz release {ONE} SCJG")
    assert "样例值" not in found[Kind.UNKNOWN_CODES].text


def test_a_changed_audit_event_is_an_alarm(shared, ledger):
    people.set_stop(ledger, False, actor="张某", note="样例", now=NOW)
    assert Kind.AUDIT_BROKEN not in kinds(shared.settings, ledger)
    with ledger.begin() as conn:
        conn.execute(update(audit_event).values(actor="李某"))
    (found,) = [t for t in watch.look(shared.settings, ledger, NOW) if t.kind is Kind.AUDIT_BROKEN]
    assert "zz stop" in found.text


@pytest.fixture
def three(shared, tmp_path):
    """Three records of one department, taken in and sent nowhere, due on 27 November at the first platform."""
    place = type(shared)(tmp_path / "home", shared.mocks, shared.spec)
    place.home.mkdir()
    with place.opened() as night:
        place.take_in(night, "SCJG", [record(night.settings, "SCJG", n) for n in (1, 2, 3)])
        with night.ledger.begin() as conn:
            conn.execute(update(rows).values(due=None))
            conn.execute(update(rows).where(rows.c.platform == ONE).values(due="2026-11-27"))
        yield place, night


def deadline(night, day):
    now = datetime.fromisoformat(f"{day}T10:00:00+08:00").timestamp()
    found = [t for t in watch.look(night.settings, night.ledger, now) if t.key.startswith("due:")]
    return [(t.kind, t.severity, t.size, t.department) for t in found]


def test_a_deadline_is_reminded_of_two_working_days_before_and_is_worse_once_it_has_passed(three):
    _, night = three
    assert deadline(night, "2026-11-24") == []
    assert deadline(night, "2026-11-25") == [(Kind.NEAR_OVERDUE, WARNING, 3, "SCJG")]
    assert deadline(night, "2026-11-27") == [(Kind.NEAR_OVERDUE, WARNING, 3, "SCJG")]
    assert deadline(night, "2026-11-28") == [(Kind.OVERDUE, ERROR, 3, "SCJG")]


def test_a_deadline_is_over_when_the_records_have_arrived(three):
    place, night = three
    place.send(night)
    assert deadline(night, "2026-11-28") == []


def test_a_missing_credential_is_said_with_the_place_where_it_belongs(three):
    _, night = three
    without = {k: c for k, c in night.settings.credentials.items() if k != f"{ONE}.SCJG"}
    found = watch.look(night.settings.model_copy(update={"credentials": without}), night.ledger, NOW)
    (missing,) = [t for t in found if t.kind is Kind.CREDENTIAL]
    assert f"[{ONE}.SCJG]" in missing.text


# ── the night that is done, and the one that is not ─────────────────────────────────────────────────────────────────────
def at(clock, day="2026-11-21"):
    return datetime.fromisoformat(f"{day}T{clock}:00+08:00").timestamp()


def night_says(night, now):
    return [(t.kind, t.severity) for t in watch.look(night.settings, night.ledger, now) if t.key.startswith("night:")]


def test_a_night_that_is_not_done_by_half_past_seven_is_an_alarm_and_not_before(three):
    _, night = three
    assert night_says(night, at("07:29")) == []
    assert night_says(night, at("07:30")) == [(Kind.NIGHT_LATE, ERROR)]


def test_a_night_that_is_done_is_told_once_with_its_figures_and_what_is_open(three, told):
    place, night = three
    settings, mail, _ = told
    place.send(night)
    write_day_report(night, FINISHED)
    settings = settings.model_copy(update={"home": night.settings.home})
    for clock in ("04:00", "06:31", "07:31"):
        turn.take(settings, night.ledger, at(clock))
    (found,) = [m for m in mail.mails if "夜间已完成" in m["Subject"]]
    assert "拉取 3 ＝ 未变 0 ＋ 退回 0 ＋ 接收 3" in body(found)
    assert "已确认 3" in body(found)
    assert "没有核对" in body(found)
    assert not any("夜间未完成" in body(m) for m in mail.mails)


def test_a_late_night_that_is_made_up_for_is_told_as_better(three, told):
    place, night = three
    settings, mail, _ = told
    settings = settings.model_copy(update={"home": night.settings.home})
    turn.take(settings, night.ledger, at("07:31"))
    place.send(night)
    write_day_report(night, FINISHED)
    turn.take(settings, night.ledger, at("09:00"))
    subjects = [m["Subject"] for m in mail.mails if m["To"] == OFFICE_MAIL]
    assert "夜间未完成" in subjects[0]
    assert "夜间已完成" in subjects[1]


def test_a_night_that_never_ran_is_an_alarm_until_it_is_made_up_for(three):
    _, night = three
    assert night_says(night, at("08:00", "2026-11-23")) == [(Kind.NIGHT_LATE, ERROR)] * 3


def test_after_a_week_the_oldest_nights_are_no_longer_looked_at(three):
    _, night = three
    assert len(night_says(night, at("08:00", "2026-12-10"))) == 7


# ── personal data, secrets ──────────────────────────────────────────────────────────────────────────────────────────────
def test_fault_62_no_personal_data_and_no_secret_reaches_a_mail_or_the_robot(three, told, caplog):
    _, night = three
    settings, mail, robot = told
    settings = settings.model_copy(update={"home": night.settings.home})
    ledger = night.ledger
    failed_reading(ledger, error=f"第 3 行的 {PERSON} 与 {MOBILE} 读不出。")
    with ledger.begin() as conn:
        conn.execute(update(rows).values(state="CONFLICT", reason=f"平台说 王某 {PERSON}"))
        conn.execute(insert(lane).values(platform=ONE, dept="SCJG", stopped=f"平台答复 {MOBILE}", taken_at=NOW))
        said = {"day": "2026-11-23", "platform": ONE, "state": "FAILED", "error": f"答复 {PERSON}", "at": NOW}
        conn.execute(insert(reconciliation).values(**said))
        seen = {"first_seen": NOW, "last_seen": NOW, "count": 1, "state": "OPEN", "decided_by": ""}
        conn.execute(
            insert(unknown_code).values(dept="SCJG", field="result", raw=f"赵某{PERSON}", set="检查结果", **seen)
        )
        note = json.dumps(
            [{"name": "钱某检查表.xlsx", "state": "REFUSED", "problem": "钱某检查表.xlsx 打不开"}], ensure_ascii=False
        )
        number = {"day": "2026-11-23", "dept": "SCJG", "kind": "inspection", "state": "OK", "started_at": NOW}
        conn.execute(insert(watch.intake).values(**number, files=note))
    found = turn.take(settings, ledger, NOW)
    assert {Kind.SOURCE_FAILED, Kind.PERSON, Kind.LANE_STOPPED, Kind.PLATFORM, Kind.UNKNOWN_CODES} <= {
        t.kind for t in found.troubles
    }
    received = "".join(
        m.get_body((part,)).get_content() + m["Subject"] for m in mail.mails for part in ("plain", "html")
    )
    received += "".join(m["markdown"]["content"] for m in robot.messages)
    received += b"".join([*mail.raw, *robot.raw]).decode("utf-8", "replace") + caplog.text
    assert "样例2026" not in received
    for canary in (PERSON, MOBILE, "王某", "赵某", "钱某", "张某", "27010124001", "canary", "x" * 20):
        assert canary not in received, canary
    with ledger.read() as conn:
        stored = "".join(map(repr, conn.execute(select(alert_message)))) + "".join(
            map(repr, conn.execute(select(alert_state)))
        )
    assert PERSON not in stored
    assert MOBILE not in stored


def test_secrets_of_the_channels_are_in_no_repr_and_come_from_file_or_environment(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    file = home / "secrets.toml"
    file.write_text('[alerts]\nsmtp_user = "canary-user"\nsmtp_password = "canary-one"\n')
    file.chmod(0o600)
    env = {"ZZ_ALERTS_WEBHOOK_URL": "http://127.0.0.1:9/send?key=canary-two"}
    settings = load_settings(home=home, env=env)
    assert settings.alert_secrets.smtp_password.get_secret_value() == "canary-one"
    assert settings.alert_secrets.webhook_url.get_secret_value().endswith("canary-two")
    assert "canary" not in repr(settings) + repr(settings.alert_secrets) + str(settings.alert_secrets)


@pytest.mark.parametrize(
    ("said", "env"),
    [
        ({"alerts": {"webhook": "x"}}, {}),
        ({"alerts": {"smtp_user": 3}}, {}),
        ({}, {"ZZ_ALERTS_WEBHOOK_URL": "ftp://example.gov.cn/x"}),
        ({}, {"ZZ_ALERTS_WEBHOOK_URL": "https://user:canary@example.gov.cn/x"}),
    ],
)
def test_secrets_that_cannot_be_right_are_refused_without_being_quoted(said, env):
    with pytest.raises(ConfigError, match="alerts") as caught:
        read_secrets(said, env)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"mail_to": ["张某"]}, {"mail_to": ["a@b, c@d"]}, {"done_by": "7点半"}, {"mail_from": "a@b\nBcc: c@d"}]
)
def test_addresses_and_times_that_cannot_be_right_are_refused(wrong):
    with pytest.raises(ValueError, match=r"邮件地址|done_by"):
        AlertSpec.model_validate(wrong)


# ── ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_the_tables_of_the_alerts_come_and_go_and_messages_pass_through_them_on_both_databases(
    kind, tmp_path, request, told
):
    url = f"sqlite:///{tmp_path / 'l.db'}" if kind == "sqlite" else request.getfixturevalue("postgres").database()
    ledger = Ledger(url)
    ledger.migrate()
    settings, mail, _ = told
    outbox.put(ledger, [trouble("a", "")], NOW)
    outbox.put(ledger, [trouble("a", "")], NOW)
    assert {s.state for s in send.flush(settings, ledger, NOW)} == {"sent"}
    assert len(mail.mails) == 1
    assert tables(ledger) == {"alert_state", "alert_message", "alert_sending"}
    migrated(ledger, command.downgrade, "0004")
    assert tables(ledger) == set()
    migrated(ledger, command.upgrade, "head")
    assert tables(ledger) == {"alert_state", "alert_message", "alert_sending"}
    ledger.close()


def tables(ledger):
    with ledger.read() as conn:
        return {name for name in schema_of(conn).get_table_names() if name.startswith("alert_")}


def migrated(ledger, step, to):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with ledger.begin() as conn:
        config.attributes["connection"] = conn
        step(config, to)


def test_a_fault_of_the_alerts_themselves_is_a_sentence_and_ends_no_night(shared, ledger):
    with ledger.begin() as conn:
        conn.execute(text("DROP TABLE alert_sending"))
    done = turn.after_night(shared.settings, ledger, NOW)
    assert "不影响报送" in done.error
    assert "alert_sending" not in done.error


def test_every_kind_of_trouble_has_its_chinese_name_and_somebody_who_finds_it():
    assert set(LABELS) == set(Kind)
    source = inspect.getsource(watch) + inspect.getsource(watch.nights)
    assert [kind.name for kind in Kind if f"Kind.{kind.name}" not in source] == []
