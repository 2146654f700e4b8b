"""The mutants of a file: mutmut's changes, one at a time.

`mutmut run` makes a file that holds all mutants, behind a switch in every function, and collects the tests anew for
each: two seconds of processor time a mutant here. And it leaves out what is decorated (every property) and all
constants. So only its rules of change are used. How a mutant is put in place is `trials`' and `fresh`'s business.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

# mypy: disable-error-code="import-not-found"
# mutmut and libcst are installed for this alone: `make mutants`
import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mutant:
    """One change of a file.

    Attributes:
        path: of the file, absolute.
        function: the qualified name of the function or method whose code is changed; empty where the change is
            elsewhere: a constant, a default, a class's field.
        line: where the change begins.
    """

    path: Path
    function: str
    line: int
    module: Any
    mutation: Any

    @property
    def place(self) -> str:
        """The function, in its file: what `codes` replaces."""
        return f"{self.path}:{self.function}"

    def source(self) -> str:
        """Write the whole file with the change."""
        old, new = self.mutation.original_node, self.mutation.mutated_node
        changed: Any = deep_replace(self.module, old, new)
        return str(changed.code)

    def change(self, source: str) -> str:
        """Give the lines that differ, before and after."""
        before, after = self.module.code.splitlines(), source.splitlines()
        start = _alike(before, after)
        end = _alike(before[start:][::-1], after[start:][::-1])
        return "\n".join(
            [f"-{line}" for line in before[start : len(before) - end]]
            + [f"+{line}" for line in after[start : len(after) - end]]
        )

    def codes(self, source: str) -> dict[str, CodeType]:
        """Compile it: the code of the function, and of what is defined in it, by qualified name."""
        module = compile(source, str(self.path), "exec", dont_inherit=True)
        return {code.co_qualname: code for code in _below(module, self.function)}


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Make the mutants of a file, in mutmut's order."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text()))
    visitor = MutationVisitor(mutation_operators, IgnoredCode(set(), set(), set()))
    skips = visitor._skip_node_and_children
    # mutmut's way to change a function is too coarse for one that is decorated; ours is not
    vars(visitor)["_skip_node_and_children"] = lambda node: (
        not isinstance(node, cst.FunctionDef) and skips(node)
    )
    module = wrapper.visit(visitor)
    positions = wrapper.resolve(PositionProvider)
    names = dict(_functions(module.body, ""))
    outside = {node for function in names for node in _nodes(function.params)}
    for mutation in visitor.mutations:
        node = mutation.original_node
        function = mutation.contained_by_top_level_function
        yield Mutant(
            path=path,
            function="" if node in outside else names.get(function, ""),
            line=positions[node].start.line,
            module=module,
            mutation=mutation,
        )


def _functions(body: Sequence[Any], prefix: str) -> Iterator[tuple[Any, str]]:
    for statement in body:
        if isinstance(statement, cst.FunctionDef):
            yield statement, prefix + statement.name.value
        elif isinstance(statement, cst.ClassDef):
            yield from _functions(statement.body.body, f"{prefix}{statement.name.value}.")


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _below(code: CodeType, function: str) -> Iterator[CodeType]:
    for part in code.co_consts:
        if isinstance(part, CodeType):
            name = part.co_qualname
            if name == function or name.startswith(f"{function}.<locals>"):
                yield part
            yield from _below(part, function)


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the lines at the start that are the same."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
