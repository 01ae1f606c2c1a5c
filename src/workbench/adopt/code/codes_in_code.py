"""Find which numbers the author's code makes of the texts of a column. The code is never executed.

A notebook has `df["sex"].map({"male": 0, "female": 1})`, or a LabelEncoder for the column or for
each column of a loop. Code that changes the texts before that, or says two things, says nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.adopt.code.source_files import SourceFile

_FITS = ("fit", "fit_transform")
_ENCODER = "LabelEncoder"
# What makes other codes than alphabetical ones, or other texts than those of the file.
_CHANGES = frozenset(("factorize", "replace", "where"))


@dataclass(frozen=True)
class WrittenCodes:
    """Numbers by text, and where the author's code makes them."""

    codes: Mapping[str, float]
    where: str  # a clause
    is_alphabetical: bool = False  # by a LabelEncoder, so other texts would make other codes


def codes_in_code(
    column: str, texts: Sequence[str], sources: Iterable[SourceFile]
) -> WrittenCodes | None:
    """Return the codes of a column's texts, if the code makes them in one way only."""
    named: list[WrittenCodes] = []
    unnamed: list[WrittenCodes] = []
    encoded: list[WrittenCodes] = []
    for source in sources:
        for codes, line, is_named in _mappings(source.tree, column, texts):
            where = f"as {source.path.name} maps them (line {line})"
            (named if is_named else unnamed).append(WrittenCodes(codes, where))
        line = next(_encoder_lines(source.tree, column), 0)
        if line and not _changes_texts(source.tree, texts):
            where = f"as the LabelEncoder of {source.path.name} counts (line {line})"
            alphabetical = {text: float(code) for code, text in enumerate(sorted(texts))}
            encoded.append(WrittenCodes(alphabetical, where, is_alphabetical=True))
    found = [*(named or unnamed), *encoded]
    same = all({t: one.codes[t] for t in texts} == _of(found[0], texts) for one in found)
    return found[0] if found and same else None


def _of(written: WrittenCodes, texts: Iterable[str]) -> dict[str, float]:
    return {text: written.codes[text] for text in texts}


def _mappings(
    tree: ast.Module, column: str, texts: Collection[str]
) -> Iterator[tuple[dict[str, float], int, bool]]:
    """Yield each mapping of all texts to numbers, its line, and whether it names the column.

    One that does not name it has the column's texts only: it can be for several columns.
    """
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.stmt) or hasattr(statement, "body"):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Dict):
                is_named = column in _constants(statement, within=node)
                codes = _numbers_by_text(node)
            elif isinstance(node, ast.Call) and _name_of(node) == "replace":
                is_named = column in _constants(statement, within=ast.Pass())
                codes = _replaced(node, texts)
            else:
                continue
            # Texts such as 2 are numbers already, if it is this column that 3+ is replaced in.
            rest = [text for text in texts if text not in codes]
            numbers = {text: n for text in rest if (n := _number(text)) is not None}
            if rest and not (is_named and len(numbers) == len(rest) < len(texts)):
                continue
            every = {**codes, **numbers}
            kept = every if is_named else {text: every[text] for text in texts}
            yield kept, getattr(node, "lineno", 0), is_named


def _numbers_by_text(node: ast.Dict) -> dict[str, float]:
    """Return a dict of numbers by text; empty for any other."""
    codes: dict[str, float] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        try:
            text, number = ast.literal_eval(key) if key else None, ast.literal_eval(value)
        except ValueError:
            return {}
        if not isinstance(text, str) or not isinstance(number, int | float):
            return {}
        codes[text] = float(number)
    return codes


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _replaced(node: ast.Call, texts: Collection[str]) -> dict[str, float]:
    """Return what `replace("3+", 3)` makes of a text, and `str.replace("+", "")` of the texts."""
    try:
        old, new = (ast.literal_eval(argument) for argument in node.args[:2])
    except ValueError:
        return {}
    if not isinstance(old, str) or not isinstance(new, int | float | str):
        return {}
    is_part = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "attr", "") == "str"
    made = {old: str(new)} if not is_part else {t: t.replace(old, str(new)) for t in texts}
    codes = {text: number for text, one in made.items() if (number := _number(one)) is not None}
    return codes if len(codes) == len(made) else {}


def _constants(statement: ast.AST, within: ast.AST) -> set[object]:
    """Return the texts and attributes of a statement outside of one of its nodes."""
    inner = {id(node) for node in ast.walk(within)}
    outer = [node for node in ast.walk(statement) if id(node) not in inner]
    texts: set[object] = {node.value for node in outer if isinstance(node, ast.Constant)}
    return texts | {node.attr for node in outer if isinstance(node, ast.Attribute)}


def _encoder_lines(tree: ast.Module, column: str) -> Iterator[int]:
    """Yield the lines at which a LabelEncoder is fitted to the column, by name or in a loop."""
    lists = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.For)]
    encoders = set(_encoder_names(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        fitted = node.args[0] if node.args else None
        if node.func.attr == "apply" and fitted is not None and _is_fit(fitted, encoders):
            if _covers(node.func.value, column):  # frame[["sex", "city"]].apply(…)
                yield node.lineno
        elif _is_fit(node.func, encoders) and fitted is not None:
            over = [one for one in loops if node in ast.walk(one)]
            used = {inner.id for inner in ast.walk(fitted) if isinstance(inner, ast.Name)}
            loop = [one for one in over if isinstance(one.target, ast.Name)]
            loop = [one for one in loop if getattr(one.target, "id", "") in used]
            if loop:
                iterated = loop[-1].iter
                if isinstance(iterated, ast.Name):
                    iterated = lists.get(iterated.id, iterated)
                if _covers(iterated, column):
                    yield node.lineno
            elif column in _constants(fitted, within=ast.Pass()):
                yield node.lineno


def _encoder_names(tree: ast.Module) -> Iterator[str]:
    """Yield what the code calls its LabelEncoders: `le`, and `encoders` of `encoders[column]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _makes_encoder(node.value):
            for target in node.targets:
                holder = target.value if isinstance(target, ast.Subscript) else target
                if isinstance(holder, ast.Name):
                    yield holder.id


def _makes_encoder(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name_of(node) == _ENCODER


def _name_of(node: ast.Call) -> str | None:
    return getattr(node.func, "attr", None) or getattr(node.func, "id", None)


def _is_fit(node: ast.AST, encoders: Collection[str]) -> bool:
    """Return whether this is `le.fit_transform`, or `LabelEncoder().fit`."""
    if not isinstance(node, ast.Attribute) or node.attr not in _FITS:
        return False
    holder = node.value.value if isinstance(node.value, ast.Subscript) else node.value
    return _makes_encoder(holder) or (isinstance(holder, ast.Name) and holder.id in encoders)


def _covers(iterated: ast.AST, column: str) -> bool:
    """Return whether the columns of an expression are listed with this one, or are not listed."""
    listed = [
        inner.value
        for node in ast.walk(iterated)
        if isinstance(node, ast.List | ast.Tuple | ast.Set)
        for inner in node.elts
        if isinstance(inner, ast.Constant)
    ]
    return column in listed or not listed


def _changes_texts(tree: ast.Module, texts: Collection[str]) -> bool:
    """Return whether code replaces or leaves out texts of the column before they are encoded."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _name_of(node)
            if name == "factorize":
                return True
            if name not in _CHANGES:
                continue
        elif not (isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotEq)):
            continue
        inner = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
        if inner & set(texts):
            return True
    return False
