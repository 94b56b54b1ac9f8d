"""`make demo`: one full night of the sample county through Dagster, the way the schedule runs it.

Belongs here: staging, the two commands an operator would use, and the summary. Must not: figures of its own making.
"""

from __future__ import annotations

import json
import subprocess
import time
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from mock_platforms.stage import ROOT, Stage, county_at, stage, tool, yesterday

LABELS = {"double_random": "① 省双随机平台", "internet_supervision": "② 市互联网+监管", "publicity": "③ 信用公示系统"}
WORDS = {
    "accepted": "接收", "confirmed": "已确认", "rejected": "拒收", "held": "暂缓", "blocked": "不予公示",
    "not_applicable": "不适用", "cancelled": "已取消", "pending": "待办", "unknown": "不明",
}  # fmt: skip


def demo(
    dir: Annotated[Path, typer.Option(help="样例县与结果所在目录")] = Path("var/demo"),
    days: Annotated[int, typer.Option(help="样例县的天数；只运行最后一天的夜间任务")] = 1,
    seed: Annotated[int, typer.Option(help="随机种子")] = 7,
    scale: Annotated[float, typer.Option(help="规模，1 约为每日三百条")] = 1.0,
) -> None:
    """样例县的一整夜：起平台，经 Dagster 运行夜间任务，打印平衡，停平台。"""
    started = time.monotonic()
    folder = dir.resolve()
    county = county_at(folder / "home", yesterday(), days, seed, scale)
    day = county.days[-1]
    county.apply(day)
    typer.echo(f"样例县（虚构）已备好：{len(county.days)} 天，业务日 {day}。正在经 Dagster 运行夜间任务 ……")
    with stage(folder, county) as world:
        night = _night(world, day, folder / "night.log")
        balances = [_balance(world, d) for d in county.days]
        travelled = _travelled(world.wire)
    summary = _summary(folder, balances, night, travelled, time.monotonic() - started)
    _tell(summary, balances[-1], folder / "home" / "reports" / day.isoformat() / f"日报-{day}.html", folder)
    raise typer.Exit(0 if night == 0 and summary["balanced"] else 1)


def _night(world: Stage, day: date, log: Path) -> int:
    """The nightly job of the schedule, for one partition."""
    tags = json.dumps({"dagster/partition": day.isoformat()})
    command = [tool("dagster"), "job", "execute", "-m", "zz_pipeline.definitions", "-j", "nightly", "--tags", tags]
    with log.open("wb") as out:
        return subprocess.run(
            command, env=world.env, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, check=False
        ).returncode


def _balance(world: Stage, day: date) -> dict[str, Any]:
    command = [tool("zz"), "balance", "--day", day.isoformat(), "--json"]
    done = subprocess.run(command, env=world.env, cwd=ROOT, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise RuntimeError(f"zz balance 没有输出：{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _travelled(wire: Path) -> int:
    """Records in this run's wire logs: what was pushed, queries not counted."""
    count = 0
    for path in wire.glob("*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            entry = json.loads(line)
            count += len(entry.get("keys") or []) if entry.get("method") == "POST" else 0
    return count


def _summary(
    folder: Path, balances: list[dict[str, Any]], night: int, travelled: int, seconds: float
) -> dict[str, Any]:
    keep = ("balanced", "complete", "pulled", "unchanged", "quarantined", "accepted", "platforms", "reconciliation")
    summary = {
        "balanced": all(b["balanced"] for b in balances),
        "night_exit_code": night,
        "records_pushed_this_run": travelled,
        "wall_s": round(seconds, 1),
        "days": {b["day"]: {k: b[k] for k in keep} for b in balances},
    }
    (folder / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return summary


def _tell(summary: dict[str, Any], last: dict[str, Any], report: Path, folder: Path) -> None:
    total = {k: last[k] for k in ("pulled", "unchanged", "quarantined", "accepted")}
    typer.echo(
        f"{last['day']}：拉取 {total['pulled']} ＝ 未变 {total['unchanged']} ＋ 退回 {total['quarantined']} ＋ 接收 {total['accepted']}"
    )
    for name, states in last["platforms"].items():
        said = "，".join(f"{WORDS[w]} {states[w]}" for w in WORDS if w != "accepted" and states[w])
        typer.echo(f"  {LABELS.get(name, name)}：接收 {states['accepted']} ＝ {said or '0'}")
    typer.echo(f"本次发送记录 {summary['records_pushed_this_run']} 条次，用时 {summary['wall_s']} 秒。")
    typer.echo(f"日报：{report}")
    typer.echo(f"汇总：{folder / 'summary.json'}")
    if summary["night_exit_code"] != 0:
        typer.echo(f"夜间任务没有成功，日志：{folder / 'night.log'}", err=True)
    typer.echo("结论：平衡。" if summary["balanced"] else "结论：不平衡！请打开日报查看标红之处。")
