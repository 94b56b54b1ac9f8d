"""No SQL text of the product is put together from data: values are bound, names come from the schema."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNS_SQL = {"text", "exec_driver_sql", "execute", "executemany", "executescript", "scalar", "scalars", "from_statement"}
# Where a statement is put together all the same → from what, and why that is no data.
ALLOWED = {
    ("zz_pipeline/ledger/audit.py", "_LOCK"): "a number written in that module",
    ("zz_pipeline/ledger/audit_check.py", "where"): "a text written three lines above, with marks for its values",
    ("zz_pipeline/ledger/db.py", "pragma"): "four settings written in that function",
    ("zz_pipeline/bench/known.py", "_REAL name names values"): "tables, columns and copies' own values, written there",
    ("zz_pipeline/chaos/kill_postgres.py", "name"): "a scratch database of the kill rig, named by it",
    ("zz_pipeline/chaos/sim_ledger.py", "name"): "tables and triggers of the schema",
    ("zz_pipeline/chaos/sim_ledger.py", "columns name"): "tables and columns of the schema",
}


def put_together(node: ast.expr) -> bool:
    """An f-string with a value, a sum, a % or a .format: anything but a literal or a statement built by SQLAlchemy."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod) and any(_is_text(side) for side in (node.left, node.right))
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in ("format", "join", "replace", "format_map")


def _is_text(node: ast.expr) -> bool:
    literal = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return literal or isinstance(node, ast.JoinedStr) or put_together(node)


def names_in(node: ast.expr) -> str:
    return " ".join(sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name)}))


def places(source: str, name: str) -> set[tuple[str, str]]:
    """(module, names in the text) of every statement that is put together."""
    found = set()
    for call in (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call) and n.args):
        called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if called in RUNS_SQL and put_together(call.args[0]):
            found.add((name, names_in(call.args[0])))
    return found


def test_fault_61_no_statement_is_put_together_from_data():
    modules = [p for p in (ROOT / "zz_pipeline").rglob("*.py") if "migrations" not in p.parts]
    found = set().union(*(places(p.read_text("utf-8"), p.relative_to(ROOT).as_posix()) for p in modules))
    assert found - ALLOWED.keys() == set()


def test_a_statement_put_together_is_seen_in_every_form():
    bad = ("f'SELECT {x}'", "'SELECT ' + x", "'SELECT %s' % x", "'SELECT {}'.format(x)", "' '.join(x)")
    for form in bad:
        assert places(f"conn.execute(text({form}))", "m") == {("m", "x")}, form
    assert places("conn.execute(text('SELECT :x'), {'x': x})", "m") == set()
