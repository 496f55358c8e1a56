"""A user's code as what it does: the definitions of his files, without what may change freely.

Comments, docstrings, formatting and the order of definitions count for nothing. Nor do statements that make
an ``Experiment``, whose settings a run's folder has, that run one, or that print; nor what only these need.
Code is parsed here and never run.
"""

import ast
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

Definitions: TypeAlias = Mapping[str, str]
"""What a file defines, by what it is called (``the function `loss```), each as its syntax tree."""

FREE = {"Experiment", "load_experiment", "run_experiment"}
"""Functions: a statement outside of functions and classes that calls one of them may change freely."""

SHOWN = 60
"""Characters of a statement that has no name."""


def read(path: Path) -> str:
    """The text of a Python file, in the encoding that it declares; what is no text in it is replaced.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (SyntaxError, UnicodeDecodeError):
        return path.read_bytes().decode(errors="replace")


def files_of(path: Path, text_of: Callable[[Path], str] = read) -> dict[Path, str]:
    """A user's file and what it imports from its own folder, directly or not, each with its text.

    Only ``import`` statements are followed, those inside functions too.

    Args:
        path: the file.
        text_of: what gives the text of a file.
    """
    folder, found, waiting = path.resolve().parent, dict[Path, str](), [path.resolve()]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file] = text_of(file)
            imported = _imported(found[file], file, folder)
            waiting += [each for each in imported if each.is_relative_to(folder)]
    return found


def _imported(text: str, file: Path, folder: Path) -> Iterator[Path]:
    """The files of a folder that one of its files imports."""
    for node in ast.walk(_parsed(text) or ast.Module([], [])):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(folder, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            start = file.parents[min(node.level, len(file.parents)) - 1] if node.level else folder
            module = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _modules(start, [*module, alias.name])


def _modules(folder: Path, names: list[str]) -> Iterator[Path]:
    """The files that make a dotted name: each package's, and the module's, as far as there are files."""
    for count in range(1, len(names) + 1):
        place = folder.joinpath(*names[:count])
        candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
        yield from [each for each in candidates if each.is_file()][:1]


def definitions(text: str) -> Definitions:
    """What a file's text defines at its top, but for what may change freely.

    A text that is no Python, of this version at least, is one definition.
    """
    tree = _parsed(text)
    if tree is None:
        return {"the text": text}
    found: dict[str, str] = {}
    for node in _counted(tree.body):
        for name, dumped in _told(node):
            found[name] = f"{found[name]}\n{dumped}" if name in found else dumped
    return found


def differences(before: str, now: str) -> list[str]:
    """What two texts of a file define otherwise, a line each.

    A new function, class, constant or import is no difference where what was there before does not know its
    name.
    """
    ours, theirs = definitions(before), definitions(now)
    old = _counted((_parsed(before) or ast.Module([], [])).body)
    known = _used(old) | {name for node in old for name in _bound(node)}
    added = {name for node in _counted((_parsed(now) or ast.Module([], [])).body)
             if _bound(node) and known.isdisjoint(_bound(node)) for name, _ in _told(node)}  # fmt: skip
    new = [f"{name} is new" for name in theirs if name not in ours and name not in added]
    gone = [f"{name} is not there any more" for name in ours if name not in theirs]
    return [f"{name} is another" for name in ours if ours[name] != theirs.get(name, ours[name])] + new + gone


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _counted(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    """The statements that count, in order.

    Imports, and statements made of an experiment, count where they bind a name that a statement which counts
    uses.
    """
    statements = [node for node in body if not _is_free(node)]
    experiments = {"experiment"} | {name for node in body if _is_free(node) for name in _bound(node)}
    loose = [node for node in statements if _is_loose(node, experiments)]
    counted = [node for node in statements if node not in loose]
    while more := [node for node in loose if _bound(node) & ({"*"} | _used(counted))]:
        counted += more
        loose = [node for node in loose if node not in more]
    return [node for node in statements if node in counted]


def _is_free(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and "__name__" in _used([ast.Expr(node.test)]):
        return True  # what a file does as a program of its own
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    calls = [_called(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)]
    prints = isinstance(node, ast.Expr) and calls[:1] == ["print"]
    return prints or _bound(node) == {"experiment"} or not FREE.isdisjoint(calls)


def _is_loose(node: ast.stmt, experiments: set[str]) -> bool:
    """Whether a statement counts only where it is needed; names made of an experiment are added."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    is_definition = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    if is_definition or experiments.isdisjoint(_used([node])):
        return False
    experiments |= _bound(node)
    return True


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _used(nodes: Iterable[ast.stmt]) -> set[str]:
    """The names that statements read."""
    names = (each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name))
    return {each.id for each in names if isinstance(each.ctx, ast.Load)}


def _bound(node: ast.stmt) -> set[str]:
    """The names that a statement gives a value."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return {each.id for each in names if isinstance(each.ctx, ast.Store)}


def _told(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """What a statement is called, and its syntax tree; an import is one for each name."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        start = f"{'.' * node.level}{node.module or ''} " if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            yield f"the import of `{alias.asname or alias.name}`", f"{start}{alias.name}"
        return
    node = _Plain().visit(node)
    yield _name(node), ast.dump(node)


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return f"the function `{node.name}`"
    if isinstance(node, ast.ClassDef):
        return f"the class `{node.name}`"
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and (names := _bound(node)):
        return f"the constant `{', '.join(sorted(names))}`"
    line = ast.unparse(node).split("\n")[0]
    return f"the statement `{line if len(line) <= SHOWN else line[:SHOWN] + '…'}`"


class _Plain(ast.NodeTransformer):
    """A syntax tree without docstrings, and texts that are statements, as stand under a field."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(node.value)  # whose text has no u before it

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.body = [each for each in node.body if not isinstance(each, ast.Pass)]
        return node
