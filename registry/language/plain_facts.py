"""What a condition says in plain words, for warnings that compare conditions. Pure."""

import ast
from collections.abc import Iterator


def facts(source: str) -> Iterator[tuple[str, object]]:
    """What an `and` chain says in plain words: name -> the value it must have.

    `x == 'a'` gives ("x", "a"); `x` and `not x` give ("bool x", True) and ("bool x", False). Not of
    inputs: each workflow has its own.
    """
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except SyntaxError:
        return
    for part in tree.values if isinstance(tree, ast.BoolOp) and isinstance(
            tree.op, ast.And) else [tree]:
        if any(isinstance(node, ast.Name) and node.id == "inputs" for node in ast.walk(part)):
            continue
        if isinstance(part, ast.Compare) and len(part.ops) == 1 and isinstance(
                part.ops[0], ast.Eq) and isinstance(part.comparators[0], ast.Constant):
            yield ast.unparse(part.left), part.comparators[0].value
        elif isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not):
            yield f"bool {ast.unparse(part.operand)}", False
        else:
            yield f"bool {ast.unparse(part)}", True
