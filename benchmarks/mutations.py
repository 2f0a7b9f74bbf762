"""Mutation testing: breaks one line at a time in code that decides on money and leads, and checks whether a test notices.

    python -m benchmarks.mutations [--only ledger/money.py …] [--sample 40] [--seed 1] [--minutes 15] [--list]

A mutation is a comparison turned round, an `and` made an `or`, a number one higher, a condition that always holds, a statement or one of several elements
left out. Each is made in a copy of the checkout, where only the tests that TESTS names for its file run, on SQLite and DuckDB, until one fails.
Prints surviving mutations with their line: a test is missing there, the line is not needed, or the difference cannot be observed. A sample is drawn by the
seed, evenly over the files, so that a run can be repeated, and a longer one continues where a shorter one ended.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE, SUITE = "lead_assets", "lead_assets_tests"

TESTS: dict[str, list[str]] = {
    "ledger/money.py": ["ledger/test_budgets.py"],
    "ledger/claims.py": ["ledger/test_budgets.py", "ledger/test_intents.py", "ledger/test_purchase.py"],
    "ledger/pacing.py": ["ledger/test_pacer.py", "ledger/test_ledger.py", "ledger/test_purchase.py"],
    "ledger/pacer.py": ["ledger/test_pacer.py", "ledger/test_purchase.py"],
    "ledger/controls.py": ["ledger/test_purchase.py", "ledger/test_ledger.py"],
    "ledger/misses.py": ["ledger/test_misses.py"],
    "ledger/costs.py": ["ledger/test_budgets.py", "ledger/test_ledger.py"],
    "ledger/recall.py": ["ledger/test_recall.py"],
    "ledger/model.py": ["ledger/test_pacer.py", "ledger/test_recall.py", "ledger/test_purchase.py"],
    "ledger/buyer.py": ["ledger/test_purchase.py", "ledger/test_intents.py"],
    "ledger/registers.py": ["ledger/test_ledger.py"],
    "identity/resolve.py": ["identity"],
    "signals/merge.py": ["signals/test_merge.py"],
    "routing": ["routing"],
    "stores/warehouse": ["stores"],
}
"""Code below lead_assets → tests below lead_assets_tests, those that fail soonest first. Not ledger/test_many.py: its many processes are half a minute
for each mutation, and on a busy machine it fails of itself."""

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
}


@dataclass(frozen=True)
class Mutant:
    """One change: `number` is its place among all that `changes` finds in the file."""

    file: str
    number: int
    line: int
    what: str


def changes(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every change of one place: applied to the tree while the caller looks at it, and taken back after. Yields (where, what)."""
    for parent in _walk(tree):
        for name, value in ast.iter_fields(parent):
            if isinstance(value, list):
                yield from _left_out(parent, name, value)
                for place, each in enumerate(value):
                    for new, what in _instead(each):
                        value[place] = new
                        yield each, what
                        value[place] = each
            elif isinstance(value, ast.AST):
                for new, what in _instead(value):
                    setattr(parent, name, new)
                    yield value, what
                    setattr(parent, name, value)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """What is run: no types, and nothing that is only there for them."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params") or (isinstance(value, ast.Tuple) and isinstance(node, ast.Subscript)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_typing(child):
                yield from _walk(child)


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _left_out(parent: ast.AST, name: str, parts: list[ast.AST]) -> Iterator[tuple[ast.AST, str]]:
    for place, part in enumerate(list(parts)):
        if name == "body" and isinstance(part, ast.Expr | ast.AugAssign | ast.If | ast.Raise | ast.Continue | ast.Break):
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant | ast.Yield | ast.YieldFrom):
                continue
            parts[place] = ast.copy_location(ast.Pass(), part)
            yield part, "statement left out"
            parts[place] = part
        elif name == "elts" and len(parts) > 2 and isinstance(parent, ast.Tuple | ast.List | ast.Set):
            del parts[place]
            yield part, "element left out"
            parts.insert(place, part)


def _instead(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        new = copy.deepcopy(node)
        new.ops[0] = _COMPARED[type(node.ops[0])]()
        yield new, "comparison turned round"
    elif isinstance(node, ast.BoolOp):
        new_op: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.copy_location(ast.BoolOp(new_op, node.values), node), "and/or exchanged"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand, "not left out"
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        yield ast.copy_location(ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right), node), "operator exchanged"
    elif isinstance(node, ast.IfExp):
        yield node.body, "condition always holds"
        yield node.orelse, "condition never holds"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.copy_location(ast.Constant(not node.value), node), "True/False exchanged"
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.copy_location(ast.Constant(node.value + 1), node), "number one higher"


def mutants(file: str) -> list[Mutant]:
    tree = ast.parse((ROOT / CODE / file).read_text())
    found = [(getattr(where, "lineno", 0), what) for where, what in changes(tree)]
    return [Mutant(file, number, line, what) for number, (line, what) in enumerate(found)]


def mutated(text: str, number: int) -> str:
    tree = ast.parse(text)
    for place, _ in enumerate(changes(tree)):
        if place == number:
            return ast.unparse(ast.fix_missing_locations(tree))
    raise ValueError(f"there is no mutation {number}")


def files(wanted: Sequence[str]) -> dict[str, list[str]]:
    """file → its tests, of those wanted (all of TESTS if none)."""
    found: dict[str, list[str]] = {}
    for name, tests in TESTS.items():
        path = ROOT / CODE / name
        for file in [path] if path.is_file() else sorted(path.glob("*.py")):
            short = str(file.relative_to(ROOT / CODE))
            if file.name != "__init__.py" and (not wanted or any(short.startswith(each) for each in wanted)):
                found[short] = tests
    return found


def draw(chosen: Sequence[str], sample: int, seed: int) -> list[Mutant]:
    """So many mutants, one of each file in turn."""
    random_ = random.Random(seed)
    lots = [mutants(file) for file in chosen]
    for lot in lots:
        random_.shuffle(lot)
    drawn: list[Mutant] = []
    while any(lots) and len(drawn) < sample:
        drawn += [lot.pop() for lot in lots if lot]
    return drawn[:sample]


def passes(folder: Path, tests: Sequence[str], seconds: float) -> bool | None:
    """Whether the tests pass in the copy; None if they take too long."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-k", "not postgres and not snowflake"]
    command += [f"{SUITE}/{name}" for name in tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="files below lead_assets, or how their names begin")
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--list", action="store_true", help="say what would be tried, and try nothing")
    options = parser.parse_args()
    chosen = files(options.only)
    if not chosen:
        raise SystemExit(f"--only: no such file; there are {', '.join(files([]))}")
    drawn = draw(list(chosen), options.sample, options.seed)
    if options.list:
        for each in drawn:
            print(f"{each.file}:{each.line}: {each.what}")
        return
    end = time.monotonic() + options.minutes * 60
    killed, survived = 0, []
    with tempfile.TemporaryDirectory(prefix="mutations-") as name:
        folder = Path(name) / "checkout"
        shutil.copytree(
            ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".lead_assets", ".mypy_cache", ".ruff_cache")
        )
        patience: dict[tuple[str, ...], float] = {}
        for tests in {tuple(chosen[each.file]) for each in drawn}:
            began = time.monotonic()
            if passes(folder, tests, 900) is not True:
                raise SystemExit(f"the tests fail as they are: {' '.join(tests)}")
            patience[tests] = 60 + 4 * (time.monotonic() - began)
        tried = 0
        for each in drawn:
            if time.monotonic() > end:
                break
            path, tests = folder / CODE / each.file, tuple(chosen[each.file])
            whole = path.read_text()
            path.write_text(mutated(whole, each.number))
            alive = passes(folder, tests, patience[tests])
            path.write_text(whole)
            tried += 1
            killed += not alive
            if alive:
                text = whole.splitlines()[each.line - 1].strip()
                survived.append({"file": each.file, "line": each.line, "what": each.what, "code": text})
                print(f"survived  {each.file}:{each.line}  {each.what}:  {text}", file=sys.stderr, flush=True)
    print(json.dumps({"benchmark": "mutations", "seed": options.seed, "tried": tried, "killed": killed, "survived": survived}, indent=1))


if __name__ == "__main__":
    main()
