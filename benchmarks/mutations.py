"""Mutation testing: breaks one line at a time in code that decides on money and leads, and checks whether a test notices.

    python -m benchmarks.mutations [--only ledger/money.py …] [--sample 40] [--seed 1] [--minutes 15] [--list]

A mutation is a comparison turned round, an `and` made an `or`, a number one higher, a condition that always holds, a statement, an element or an argument left
out, two arguments exchanged, a method that means the opposite (`first` for `last`). Each is made in a copy of the checkout. A first run records which tests
reach which lines. A mutation is tried with the tests that reach its line, quickest first, until one fails (on SQLite, if that reaches it). Each try is a
fork of a process that has loaded all libraries already, so most take about a second.

Prints figures per room and the surviving mutations with their line: a test is missing there, the line is not needed, or the difference cannot be
observed. Those that a person has found to be of the last kind stand in `mutations_equivalent.yaml` with the reason, and are counted apart.
A sample is drawn by the seed, evenly over the files, so that a run can be repeated, and `--skip` continues where a shorter one ended.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CODE, SUITE = "lead_assets", "lead_assets_tests"
EQUIVALENT = Path(__file__).parent / "mutations_equivalent.yaml"

TESTS: dict[str, list[str]] = {
    "ledger": ["ledger"],
    "identity/resolve.py": ["identity/test_resolve.py", "identity/test_people_labels.py"],
    "identity/same_person.py": ["identity/test_same_person.py", "identity/test_resolve.py", "identity/test_people_labels.py"],
    "identity/contradictions.py": ["identity/test_same_person.py", "identity/test_resolve.py", "identity/test_people_labels.py"],
    "identity/whose_key.py": ["identity/test_same_person.py", "identity/test_resolve.py", "identity/test_people_labels.py"],
    "signals/merge.py": ["signals/test_merge.py", "signals/test_given.py", "signals/test_worth.py"],
    "routing": ["routing"],
    "stores/warehouse": ["stores"],
}
"""Code below lead_assets → tests below lead_assets_tests."""
LEFT_OUT = [
    "ledger/test_many.py::test_eight_threads_and_another_process_buy_each_subject_once",
    "ledger/test_many.py::test_killed_between_call_and_journal_the_call_is_counted_uncertain_and_made_again",
    "ledger/test_many.py::test_the_first_owner_of_an_account_stays_its_owner",
    "ledger/test_many.py::test_a_database_that_drops_every_connection_again_and_again_loses_nothing",
]
"""Many processes: seconds for each mutation, and on a busy machine they fail of themselves."""
NO_LOGIC = ["ledger/schema.py"]
"""Only declares tables."""

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
    ast.BitOr: ast.BitAnd,
}
_OPPOSITE_PAIRS = [
    ("first", "last"),
    ("head", "tail"),
    ("min", "max"),
    ("any", "all"),
    ("and_", "or_"),
    ("is_null", "is_not_null"),
    ("any_horizontal", "all_horizontal"),
]
_OPPOSITE = dict(_OPPOSITE_PAIRS) | {b: a for a, b in _OPPOSITE_PAIRS}
_WORDS = {"first": "last", "last": "first", "left": "inner", "anti": "semi"}
"""Texts that steer a library: which of several rows `unique` keeps, and what `join` does with rows that have no partner."""
_OF_TYPES = ("annotation", "returns", "type_params")
_IN_ORDER = ("sort", "order_by", "coalesce", "when", "then")

_FEW = 4


@dataclass(frozen=True)
class Mutant:
    """One change: `number` is its place among all that `changes` finds in the file."""

    file: str
    number: int
    line: int
    what: str
    code: str

    @property
    def room(self) -> str:
        return self.file.rpartition("/")[0] if self.file.startswith(("ledger", "routing", "stores")) else self.file


def changes(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every change of one place: applied to the tree while the caller looks at it, and taken back after. Yields (where, what)."""
    for parent in _walk(tree):
        for name, value in ast.iter_fields(parent):
            if name in _OF_TYPES:
                continue
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
        if name in _OF_TYPES or (isinstance(value, ast.Tuple) and isinstance(node, ast.Subscript)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_typing(child) and not _says_nothing(child):
                yield from _walk(child)


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _says_nothing(node: ast.AST) -> bool:
    """Texts with values in them, and what a dataclass forbids: neither decides anything."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and _called(node) == "dataclass")


def _left_out(parent: ast.AST, name: str, parts: list[ast.AST]) -> Iterator[tuple[ast.AST, str]]:
    for place, part in enumerate(list(parts)):
        if name == "body" and isinstance(part, ast.Expr | ast.AugAssign | ast.If | ast.Raise | ast.Continue | ast.Break):
            if _is_typing(part) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant | ast.Yield | ast.YieldFrom)):
                continue
            parts[place] = ast.copy_location(ast.Pass(), part)
            yield part, "statement left out"
            parts[place] = part
        elif name == "elts" and len(parts) > 2 and isinstance(parent, ast.Tuple | ast.List | ast.Set):
            del parts[place]
            yield part, "element left out"
            parts.insert(place, part)
        elif name == "args" and isinstance(parent, ast.Call) and _called(parent) in _IN_ORDER and len(parts) > 1:
            del parts[place]
            yield part, "argument left out"
            parts.insert(place, part)
            if place and not isinstance(part, ast.Starred):
                parts[place - 1], parts[place] = parts[place], parts[place - 1]
                yield part, "arguments exchanged"
                parts[place - 1], parts[place] = parts[place], parts[place - 1]


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _instead(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        new = copy.deepcopy(node)
        new.ops[0] = _COMPARED[type(node.ops[0])]()
        yield new, "comparison turned round"
    elif isinstance(node, ast.BoolOp):
        new_op: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.copy_location(ast.BoolOp(new_op, node.values), node), "and/or exchanged"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
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
    elif (
        isinstance(node, ast.keyword)
        and node.arg in ("keep", "how")
        and isinstance(node.value, ast.Constant)
        and node.value.value in _WORDS
    ):
        yield (
            ast.copy_location(ast.keyword(node.arg, ast.Constant(_WORDS[node.value.value])), node),
            f"{_WORDS[node.value.value]!r} instead",
        )
    elif isinstance(node, ast.Attribute) and node.attr in _OPPOSITE:
        yield ast.copy_location(ast.Attribute(node.value, _OPPOSITE[node.attr], node.ctx), node), f"{_OPPOSITE[node.attr]} instead"
    elif isinstance(node, ast.Name) and node.id in _OPPOSITE and isinstance(node.ctx, ast.Load):
        yield ast.copy_location(ast.Name(_OPPOSITE[node.id], node.ctx), node), f"{_OPPOSITE[node.id]} instead"


def mutants(file: str) -> list[Mutant]:
    text = (ROOT / CODE / file).read_text()
    lines = text.splitlines()
    found = [(getattr(where, "lineno", 1), what) for where, what in changes(ast.parse(text))]
    return [Mutant(file, number, line, what, lines[line - 1].strip()) for number, (line, what) in enumerate(found)]


def mutated(text: str, number: int) -> str:
    tree = ast.parse(text)
    for place, _ in enumerate(changes(tree)):
        if place == number:
            return ast.unparse(ast.fix_missing_locations(tree))
    raise ValueError(f"there is no mutation {number}")


def files(wanted: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """file → its tests, of those wanted (all of TESTS if none)."""
    found: dict[str, tuple[str, ...]] = {}
    for name, tests in TESTS.items():
        path = ROOT / CODE / name
        for file in [path] if path.is_file() else sorted(path.glob("*.py")):
            short = str(file.relative_to(ROOT / CODE))
            if file.name != "__init__.py" and short not in NO_LOGIC and (not wanted or any(short.startswith(each) for each in wanted)):
                found[short] = tuple(tests)
    return found


def draw(chosen: Sequence[str], seed: int) -> list[Mutant]:
    """All mutants in the order in which they are tried: one of each file in turn."""
    random_ = random.Random(seed)
    lots = [mutants(file) for file in chosen]
    for lot in lots:
        random_.shuffle(lot)
    drawn: list[Mutant] = []
    while any(lots):
        drawn += [lot.pop() for lot in lots if lot]
    return drawn


def equivalent() -> set[tuple[str, str, str]]:
    """(file, code of the line, what) of mutations that a person found to make no difference that anybody can observe."""
    import yaml

    return {(each["file"], each["code"], each["what"]) for each in yaml.safe_load(EQUIVALENT.read_text())}


class Reach:
    """A pytest plugin: which lines of the files each test reaches, in this process, and how long it takes."""

    def __init__(self, watched: Sequence[str]) -> None:
        self.tests: dict[str, dict[str, Any]] = {}
        self._watched = frozenset(watched)
        self._reached: set[tuple[str, int]] = set()

    def _trace(self, frame: Any, event: str, _: Any) -> Callable[..., Any] | None:
        return self._line if frame.f_code.co_filename in self._watched else None

    def _line(self, frame: Any, event: str, _: Any) -> Callable[..., Any]:
        self._reached.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._reached = set()
        self._began = time.monotonic()
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        sys.settrace(None)
        threading.settrace(None)
        self.tests[nodeid] = {"seconds": time.monotonic() - self._began, "reached": sorted(self._reached)}


@dataclass
class Copy:
    """A copy of the checkout in which mutations are made and tests run, each time in a fork of this process."""

    folder: Path
    reached: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    """(file, line) → tests, quickest first."""
    seconds: dict[str, float] = field(default_factory=dict)
    of: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    """Test files → their tests, quickest first."""

    def learn(self, tests: tuple[str, ...], code: Sequence[str]) -> None:
        """Run the tests as they are: they must pass. Loads the libraries that they loaded."""
        watched = {str(self.folder / CODE / file): file for file in code}
        note = self.folder / "reach.json"

        def run() -> int:
            import pytest

            reach = Reach(list(watched))
            left_out = [f"--deselect={SUITE}/{name}" for name in LEFT_OUT]
            done = pytest.main(
                ["-q", "-x", "-n", "0", "-m", "not slow", *left_out, *(f"{SUITE}/{name}" for name in tests)], plugins=[reach]
            )
            note.write_text(json.dumps({"tests": reach.tests, "modules": sorted(sys.modules)}))
            return int(done)

        if self._forked(run, 1800, may_cache=True) != 0:
            said = (self.folder / "output.txt").read_text(errors="replace")[-4000:]
            raise SystemExit(f"the tests fail as they are: {' '.join(tests)}:\n{said}")
        learnt = json.loads(note.read_text())
        self.seconds |= {name: each["seconds"] for name, each in learnt["tests"].items()}
        self.of[tests] = sorted(learnt["tests"], key=self.seconds.__getitem__)
        for name in self.of[tests]:
            for file, line in learnt["tests"][name]["reached"]:
                self.reached.setdefault((watched[file], line), []).append(name)
        for name in learnt["modules"]:
            if name.partition(".")[0] not in (CODE, SUITE, "benchmarks", "__main__", "conftest", "readline"):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)

    def outcome(self, mutant: Mutant, tests: tuple[str, ...]) -> str:
        """The kind of death, or "survived"."""
        path = self.folder / CODE / mutant.file
        whole, stat = path.read_text(), path.stat()
        path.write_text(mutated(whole, mutant.number))
        try:
            for each in self._in_turn(whole, mutant, tests):
                if each and (died := self._tried(each)) is not None:
                    return died
            return "survived"
        finally:
            path.write_text(whole)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def _in_turn(self, text: str, mutant: Mutant, tests: tuple[str, ...]) -> Iterator[list[str]]:
        """The tests that reach the mutated statement; where these are few, as with what is kept from one test to the next, all others, too."""
        names = {name for line in _statement(text, mutant.line) for name in self.reached.get((mutant.file, line), [])}
        near = [name for name in self.of[tests] if name in names]
        # A line that both databases reach is as well tried on SQLite.
        quick = [name for name in near if "postgres" not in name]
        yield quick or near
        if len(near) < _FEW:
            yield [name for name in self.of[tests] if name not in names and "postgres" not in name]

    def _tried(self, names: Sequence[str]) -> str | None:
        patience = 30 + 3 * sum(self.seconds[name] for name in names)
        hangs = 15 + 4 * max(self.seconds[name] for name in names)

        def run() -> int:
            import pytest

            # By their order here, not by that of their files.
            class Ordered:
                @pytest.hookimpl(trylast=True)
                def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
                    place = {name: number for number, name in enumerate(names)}
                    items.sort(key=lambda item: place.get(item.nodeid, len(place)))

            return int(pytest.main(["-q", "-x", "-n", "0", "--timeout", str(int(hangs)), *names], plugins=[Ordered()]))

        code = self._forked(run, patience)
        return None if code == 0 else "timed out" if code is None else "killed"

    def _forked(self, run: Callable[[], int], seconds: float, *, may_cache: bool = False) -> int | None:
        """The exit code of `run` in a child with the copy as its code; None if it takes too long."""
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.setsid()
                os.chdir(self.folder)
                output = os.open(self.folder / "output.txt", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
                os.dup2(output, 1)
                os.dup2(output, 2)
                sys.path[:] = [str(self.folder), *(each for each in sys.path if each and Path(each).resolve() != ROOT)]
                os.environ["PYTHONPATH"] = str(self.folder)
                if not may_cache:
                    sys.dont_write_bytecode = True
                    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
                for name in [name for name in sys.modules if name.partition(".")[0] in (CODE, SUITE, "benchmarks")]:
                    del sys.modules[name]
                importlib.invalidate_caches()
                code = run()
            finally:
                os._exit(code)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.killpg(child, signal.SIGTERM)
        time.sleep(2)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None


def _statement(text: str, line: int) -> range:
    """The lines of the innermost statement around a line; of one with a body, only its head."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if isinstance(body, list) and body else node.end_lineno or node.lineno
            if line <= last:
                found = range(node.lineno, last + 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="files below lead_assets, or how their names begin")
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--skip", type=int, default=0, help="leave out so many, which an earlier run has tried")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=15.0, help="after the first run")
    parser.add_argument("--again", nargs="*", type=Path, default=[], help="try what survived in these earlier runs' answers")
    parser.add_argument("--list", action="store_true", help="say what would be tried, and try nothing")
    options = parser.parse_args()
    chosen = files(options.only)
    if not chosen:
        raise SystemExit(f"--only: no such file; there are {', '.join(files([]))}")
    every = draw(list(chosen), options.seed)
    if options.again:
        wanted = {(each["file"], each["code"], each["what"]) for path in options.again for each in json.loads(path.read_text())["survived"]}
        every = [each for each in every if (each.file, each.code, each.what) in wanted]
    drawn = every[options.skip : options.skip + options.sample]
    if options.list:
        for each in drawn:
            print(f"{each.file}:{each.line}: {each.what}")
        print(f"{len(drawn)} of {len(every)}", file=sys.stderr)
        return
    known = equivalent()
    survived: list[dict[str, Any]] = []
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="mutations-") as name:
        folder = Path(name) / "checkout"
        left_out = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".lead_assets", ".mypy_cache", ".ruff_cache")
        shutil.copytree(ROOT, folder, ignore=left_out)
        checkout = Copy(folder)
        for tests in sorted({chosen[each.file] for each in drawn}):
            checkout.learn(tests, [file for file, its in chosen.items() if its == tests])
        tried = 0
        end = time.monotonic() + options.minutes * 60
        for each in drawn:
            if time.monotonic() > end:
                break
            outcome = checkout.outcome(each, chosen[each.file])
            tried += 1
            if outcome == "survived":
                outcome = "equivalent" if (each.file, each.code, each.what) in known else "survived"
            counts.setdefault(each.room, Counter(made=0, killed=0, survived=0, equivalent=0)).update(
                ["made", "killed" if outcome == "timed out" else outcome]
            )
            if outcome == "survived":
                survived.append({"file": each.file, "line": each.line, "what": each.what, "code": each.code})
            if outcome in ("survived", "timed out"):
                print(f"{outcome:9}  {each.file}:{each.line}  {each.what}:  {each.code}", file=sys.stderr, flush=True)
    answer = {"benchmark": "mutations", "seed": options.seed, "all": len(every), "tried": tried, "rooms": counts, "survived": survived}
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
