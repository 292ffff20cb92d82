"""What is said about a name in an expression that means nothing: its place, and what was meant."""

from registry.expressions import names
from registry.expressions.functions import FUNCTIONS
from registry.expressions.wording import NO_LITERALS, Mistake


def of_path(path: tuple[str, ...], offsets: tuple[int, ...],
            roots: frozenset[str]) -> Mistake | None:
    """The mistake of a path with an unknown root or field; None when it can be read.

    offsets: where each part of it stands in the source. roots: what the expression may read.
    """
    if path[0] not in roots:
        return _of_root(path[0], offsets[0], roots)
    unknown = names.unknown_part(path)
    if unknown is None:
        return None
    index, near = unknown
    parent = ".".join(path[:index])
    dotted = ".".join(path[:index + 1])
    if near:
        near = f"{parent}.{near}"
    hint = f"; did you mean '{near}'?" if near else _way_out(path[:index + 1])
    return Mistake(offsets[index], f"unknown field '{names.shown(dotted)}'{hint}",
                   "unknown_field", near)


def of_function(word: str, offset: int) -> Mistake:
    """The mistake of a call of a function that does not exist. offset: where it stands."""
    near, hint = names.hint(word, FUNCTIONS)
    if not near:
        hint = "; the functions are listed in docs/workflows.md"
    message = f"unknown function '{names.shown(word)}'{hint}"
    return Mistake(offset, message, "unknown_function", near)


def _of_root(root: str, offset: int, roots: frozenset[str]) -> Mistake:
    near = names.nearest(root, roots)
    if root in FUNCTIONS:
        message = f"'{root}' is a function; write {FUNCTIONS[root].signature}"
    elif root in names.ROOTS:
        message, near = f"'{root}' {_where(root)}", ""
    elif root.lower() in NO_LITERALS:
        near = NO_LITERALS[root.lower()]
        message = f"unknown name '{root}'; did you mean '{near}'?"
    elif root.startswith("_"):
        message = f"unknown name '{root}': names do not start with '_'"
    else:
        hint = f"did you mean '{near}'?" if near else "text needs quotes"
        message = f"unknown name '{names.shown(root)}'; {hint}"
    return Mistake(offset, message, "unknown_name", near)


def _where(root: str) -> str:
    """Where a root of the table can be read, of those that do not exist everywhere."""
    place = names.ONLY_IN.get(root)
    return f"can only be used {place}" if place else "cannot be used here"


def _way_out(path: tuple[str, ...]) -> str:
    """What to write instead of a field that is like no other."""
    parent, word = ".".join(path[:-1]), path[-1]
    if word in FUNCTIONS:
        return f"; '{word}' is a function; write {word}({parent})"
    fields = names.fields_of(path[:-1])
    if not fields:
        return f"; '{names.shown(parent)}' holds no fields"
    if path[0] == "event" and len(path) == 2:
        return "; facts of one kind of event are in event.content"
    return f"; known: {names.listed(fields)}"
