"""A fourth platform of a new name: one file of configuration and one adapter module, and everything else is there already.

Belongs here: its small server, and whole deliveries to it beside the entry platform. Must not: edits of the product.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import threading
from collections import deque
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.delivery import contract_words as w
from tests.delivery import fourth_platform
from tests.delivery.bench import FakeClock, chain_whole, payload, table
from tests.delivery.tiny_platform import TinyPlatform, answer
from zz_pipeline.delivery.deliver import deliver
from zz_pipeline.delivery.protocol import Effect
from zz_pipeline.errors import ConfigError
from zz_pipeline.ledger import accept, intake, schema, versions
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import content
from zz_pipeline.night import Night
from zz_pipeline.platforms import registry
from zz_pipeline.reconcile import reconcile
from zz_pipeline.settings import CHECKOUT, load_settings

NAME, ENTRY, DEPT = "test_board", "double_random", "SCJG"
SECRET = "a-secret-of-the-board-" + "y" * 20
TOML = """
label = "信息公开栏"
adapter = "tests.delivery.fourth_platform:Board"
publishing = "publicity"             # 与信用公示系统同样的公示规则
url = "http://127.0.0.1:9"
sign = "HMAC-SHA256"
batch_records = 20
rate = 1000.0
burst = 1000.0
connect_seconds = 2.0
read_seconds = 2.0
call_seconds = 4.0
quiet_seconds = 600.0
night_wait_seconds = 7200.0
due_workdays = 20

[capability]
idempotent = "none"
verdicts = "record"
query_by_key = 1
query_by_batch = false
list_by_time = false
versions = false
public = true
"""


class BoardServer:
    """The board: what is added twice stands there twice. `faults` are met by the next pushes, one each."""

    def __init__(self):
        self.lock, self.entries, self.acts = threading.Lock(), [], []
        self.faults, self.asked, self.nonces = deque(), [], set()
        board = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                board.get(self)

            def do_POST(self):
                board.post(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def signed(self, http, body=b""):
        h = http.headers
        lines = (http.command, http.path, "", h["X-Timestamp"], h["X-Nonce"], hashlib.sha256(body).hexdigest())
        wanted = hmac.new(SECRET.encode(), "\n".join(lines).encode(), "sha256").hexdigest()
        fresh = h["X-Nonce"] not in self.nonces
        self.nonces.add(h["X-Nonce"])
        return fresh and h["X-App-Id"] == f"app-{DEPT}" and hmac.compare_digest(wanted, h["X-Signature"])

    def post(self, http, body):
        batch = json.loads(body)
        with self.lock:
            if not self.signed(http, body):
                return answer(http, 401, {"code": "4012"})
            fault = self.faults.popleft() if self.faults else ""
            if fault == "lost":
                return http.connection.close()
            results = [self.act(entry) for entry in batch["entries"]]
        if fault == "unheard":
            return http.connection.close()
        return answer(http, 200, {"no": batch["no"], "results": results})

    def act(self, entry):
        key, text = entry["key"], entry.get("text")
        self.acts.append((key, entry["act"]))
        if text and "不予收录" in text["subject"]:
            return {"key": key, "said": "refused", "why": "名称不合要求"}
        if entry["act"] != "add":
            self.entries = [e for e in self.entries if e["key"] != key]
        state = "REMOVED" if entry["act"] == "remove" else "SHOWN"
        said = json.dumps(text or {}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(said.encode()).hexdigest()
        self.entries.append({"key": key, "state": state, "digest": digest, "text": text})
        return {"key": key, "said": "taken"}

    def get(self, http):
        if http.path == "/health":
            return answer(http, 200, {"status": "UP", "platform": NAME, "environment": "test"})
        with self.lock:
            if not self.signed(http):
                return answer(http, 401, {"code": "4012"})
            self.asked.append(http.path)
            key = http.path.removeprefix("/board/entries").strip("/")
            found = [{n: e[n] for n in ("key", "state", "digest")} for e in self.entries if key in ("", e["key"])]
        return answer(http, 200, {"entries": found})


class County:
    """A county whose configuration has one more platform file, with a ledger that accepts for real."""

    def __init__(self, folder, entry, board):
        self.config = folder / "config"
        shutil.copytree(CHECKOUT / "config", self.config)
        (self.config / "platforms" / f"{NAME}.toml").write_text(TOML, "utf-8")
        said = (self.config / "county.toml").read_text("utf-8")
        listed = 'platforms = ["double_random", "internet_supervision", "publicity"]'
        assert listed in said
        (self.config / "county.toml").write_text(said.replace(listed, f'platforms = ["{ENTRY}", "{NAME}"]'), "utf-8")
        env = {f"ZZ_URL_{ENTRY.upper()}": entry.url, f"ZZ_URL_{NAME.upper()}": board.url}
        env |= {f"ZZ_SECRET_{ENTRY.upper()}_{DEPT}": f"app-{DEPT}:{'x' * 40}"}
        env |= {f"ZZ_SECRET_{NAME.upper()}_{DEPT}": f"app-{DEPT}:{SECRET}"}
        self.settings = load_settings(self.config, folder / "home", env)
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        self.ledger.migrate()
        self.night = Night(self.settings, self.ledger, "test")
        self.clock, self.board = FakeClock(), board

    def accept(self, number, changed, **changes):
        """What a department said, through the product's own acceptance and publishing rules."""
        said = payload(self.settings, DEPT, number, **changes)
        day = date(2026, 11, 20)
        since, until = intake.window(self.ledger, DEPT, "inspection", day)
        reading = intake.begin(self.ledger, day, DEPT, "inspection", since, until, 1.0)
        source = versions.Source(reading, "inspection", DEPT, DEPT, day, until, "rules", 1, 1)
        record = content(said["record_key"], said, f"2026-11-20 10:00:0{changed}", "a.xlsx", 3)
        common = {"now": self.night.clock(), "zone_offset": self.night.zone_offset}
        accept.accept(self.ledger, source, [record], [], self.night.targets, self.night._decide, **common)
        return said["record_key"]

    def deliver(self):
        results = [
            deliver(self.ledger, self.settings, name, clock=self.clock, sleep=self.clock.sleep, threads=1)
            for name in (ENTRY, NAME)
        ]
        assert chain_whole(self.ledger)
        return results[1]

    def reconcile(self):
        today = (datetime.now(UTC) + timedelta(hours=8)).date()
        return reconcile(self.ledger, self.settings, NAME, today, clock=self.clock, sleep=self.clock.sleep)

    def rows(self):
        """(op, state) of the board's rows, oldest version first."""
        rows = [r for r in table(self.ledger, schema.outbox) if r.platform == NAME]
        return [(r.op, r.state) for r in sorted(rows, key=lambda r: (r.record_key, r.version))]


@pytest.fixture
def county(tmp_path):
    with TinyPlatform() as entry, BoardServer() as board:
        found = County(tmp_path, entry, board)
        yield found
        found.ledger.close()


def test_the_adapter_of_a_new_platform_has_at_most_a_hundred_and_twenty_lines():
    assert len(Path(fourth_platform.__file__).read_text("utf-8").splitlines()) <= 120


def test_nothing_of_the_product_names_the_new_platform():
    product = [p for room in ("zz_pipeline", "assets", "schedules") for p in (CHECKOUT / room).rglob("*.py")]
    assert [p.name for p in product if NAME in p.read_text("utf-8")] == []


def test_a_publication_a_correction_and_a_withdrawal_are_delivered_and_agree(county):
    key = county.accept("2026-0001", 1)
    assert county.deliver().alarms == []
    county.accept("2026-0001", 2, task_name="样例任务更正")
    assert county.deliver().alarms == []
    assert [e["text"]["task"] for e in county.board.entries] == ["样例任务更正"]
    assert county.reconcile().state == "OK"
    county.accept("2026-0001", 3, publishable=False, not_publish_reason="涉及商业秘密")
    assert county.deliver().alarms == []
    assert county.rows() == [("PUBLISH", "CONFIRMED"), ("CORRECT", "CONFIRMED"), ("WITHDRAW", "CONFIRMED")]
    assert county.board.acts == [(key, "add"), (key, "replace"), (key, "remove")]
    assert [e["state"] for e in county.board.entries] == ["REMOVED"]
    assert county.reconcile().state == "OK"


@pytest.mark.parametrize("fault", ["unheard", "lost"])
def test_fault_17_18_an_answer_or_a_request_lost_on_the_new_platform_is_asked_about_and_stands_there_once(
    county, fault
):
    key = county.accept("2026-0001", 1)
    acts = ["add", "replace", "remove"]
    for n, changes in enumerate(({}, {"task_name": "更正"}, {"publishable": False, "not_publish_reason": "商业秘密"})):
        county.board.faults.append(fault)
        if n:
            county.accept("2026-0001", n + 1, **changes)
        start, asked = county.clock(), len(county.board.asked)
        county.deliver()
        assert county.board.acts == [(key, act) for act in acts[: n + 1]], "nothing was done twice"
        assert county.board.asked[asked:].count(f"/board/entries/{key}") == (1 if fault == "unheard" else 2)
        assert (county.clock() - start >= 600.0) == (fault == "lost"), "sent again after the quiet window only"
    assert {state for _, state in county.rows()} == {"CONFIRMED"}
    assert len(county.board.entries) == 1


def test_a_refused_record_goes_back_and_a_row_waits_behind_the_entry_platform(county):
    county.accept("2026-0001", 1, subject_name="不予收录有限公司")
    done = deliver(county.ledger, county.settings, NAME, clock=county.clock, sleep=county.clock.sleep)
    assert (done.requests, county.rows()) == (0, [("PUBLISH", "READY")])
    county.deliver()
    assert county.rows() == [("PUBLISH", "REJECTED")]
    row = next(r for r in table(county.ledger, schema.outbox) if r.platform == NAME)
    assert "名称不合要求" in row.reason


def test_reconciliation_lists_all_of_it_and_finds_what_was_lost_or_typed_in(county):
    keys = [county.accept(f"2026-000{n}", 1) for n in (1, 2)]
    county.deliver()
    gone = county.board.entries.pop(0)
    county.board.entries.append({**gone, "key": "610124-SCJG-2026-0099"})
    found = county.reconcile()
    assert (found.counts["lost"], found.counts["unexpected"]) == (1, 1)
    assert county.board.asked.count("/board/entries") == 1, "one list of everything serves both directions"
    assert gone["key"] in keys


def test_where_a_platform_cannot_take_anything_back_a_person_is_asked_to(county):
    spec = county.settings.platforms[NAME]
    able = spec.capability.model_copy(update={"withdraw": False})
    platforms = county.settings.platforms | {NAME: spec.model_copy(update={"capability": able})}
    county.settings = county.settings.model_copy(update={"platforms": platforms})
    county.night = Night(county.settings, county.ledger, "test")
    county.accept("2026-0001", 1)
    county.deliver()
    county.accept("2026-0001", 2, publishable=False, not_publish_reason="涉及商业秘密")
    county.deliver()
    assert county.rows() == [("PUBLISH", "CONFIRMED"), ("WITHDRAW", "HELD")]
    assert len(county.board.acts) == 1
    assert "没有撤回接口" in next(r.reason for r in table(county.ledger, schema.outbox) if r.state == "HELD")


def test_fault_69_the_new_platform_must_say_its_own_name(county):
    county.accept("2026-0001", 1)
    wrong = county.settings.platforms[NAME].model_copy(update={"url": county.settings.platforms[ENTRY].url})
    platforms = county.settings.platforms | {NAME: wrong}
    county.settings = county.settings.model_copy(update={"platforms": platforms})
    done = county.deliver()
    assert "double_random" in done.stopped
    assert NAME in done.stopped
    assert county.rows() == [("PUBLISH", "READY")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("board", "没有这种接口"),
        ("tests.delivery.fourth_platform:Nobody", "AttributeError"),
        ("tests.delivery.no_such_module:Board", "ModuleNotFoundError"),
        ("collections:Counter", "缺少"),
        (":Board", "ValueError"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_a_fault_of_configuration_with_its_remedy(name, said):
    with pytest.raises(ConfigError, match=said):
        registry.adapter(name)


def test_fault_19_a_quiet_window_shorter_than_a_late_effect_is_no_configuration(county):
    path = county.config / "platforms" / f"{NAME}.toml"
    path.write_text(TOML.replace("quiet_seconds = 600.0", "quiet_seconds = 119.0"), "utf-8")
    with pytest.raises(ConfigError, match=r"test_board\.toml.*quiet_seconds 短于"):
        load_settings(county.config, county.settings.home, {})


SUCCESS = {"record": Effect.JUDGED, "receipt": Effect.TAKEN_IN, "counts": Effect.ASK}


def success(name, sent):
    """What the platform answers when all went well."""
    n = len(sent.rows)
    results = [
        {"recordKey": r.key.record_key, "version": 1, "verdict": "ACCEPTED", "receiptNo": "S", "errors": []}
        for r in sent.rows
    ]
    said = [{"key": r.key.record_key, "said": "taken"} for r in sent.rows]
    return {
        ENTRY: w.reply(200, {"code": "0000", "data": {"batchNo": sent.number, "results": results}}),
        "internet_supervision": w.reply(202, {"code": "202", "data": {"cd_batch": sent.number, "received": n}}),
        "publicity": w.reply(200, {"code": 200, "totalSize": n, "successSize": n, "failSize": 0}),
        NAME: w.reply(200, {"no": sent.number, "results": said}),
    }[name]


NOTHING = {
    ENTRY: w.reply(200, {"code": "0000", "data": {"items": [], "nextCursor": ""}}),
    "internet_supervision": w.reply(200, {"code": "200", "data": {"total": 0, "rows": []}}),
    "publicity": w.reply(200, {"code": 200, "data": {"items": [], "nextCursor": ""}}),
    NAME: w.reply(200, {"entries": []}),
}


@pytest.mark.parametrize("name", NOTHING)
def test_an_adapter_does_what_its_file_declares(name, county):
    specs = load_settings(CHECKOUT / "config", county.settings.home, {}).platforms | county.settings.platforms
    able, speaker = specs[name].capability, registry.adapter(specs[name].adapter)
    item = [w.item("61012400010001", "食品安全检查", "CORRECTED")]
    rows = [w.row(speaker, w.inspection(record_key=f"610124-SCJG-{n:07d}", items=item)) for n in range(150)]
    sent = w.batch(speaker, *rows)
    assert speaker.read(success(name, sent), sent).effect is SUCCESS[able.verdicts]
    assert ("version" in rows[0].wire[0]) == able.versions
    forgotten = w.reply(200, {"code": "4040"})
    answers = {
        "batches": forgotten,
        "receipts": w.reply(404, {"code": "6040"}),
        "records": NOTHING[name],
        "entries": NOTHING[name],
    }
    call = w.Script(**answers)
    speaker.ask(call, sent, taken_in=True, held={})
    assert any(sent.number in path for path in call.paths) == able.query_by_batch
    named = [value.split(",") for _, _, fields in call.asked for value in fields.values() if "610124-SCJG-" in value]
    named = named or [[path] for path in call.paths if "610124-SCJG-" in path]
    assert max(map(len, named)) == able.query_by_key
    assert sum(map(len, named)) == 150


def test_the_page_about_platforms_names_every_setting_of_a_platform_file():
    page = (CHECKOUT / "docs" / "platforms.md").read_text("utf-8")
    fields = load_settings(CHECKOUT / "config", CHECKOUT / "var", {}).platforms[ENTRY]
    names = [*type(fields).model_fields, *type(fields.capability).model_fields]
    assert [n for n in names if f"`{n}`" not in page and n not in ("name", "capability")] == []
    assert [duty for duty in registry.DUTIES if f"`{duty}`" not in page] == []
