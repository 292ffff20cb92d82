"""Places of steps as their columns hold them: what is too long is refused when it is published.

The turns of loops need no check: a document has so few levels that at most six loops lie inside
each other, which is 41 characters of the 64.
"""

from omni.yaml.marks import Path
from registry.language.bodies import StepReader, path_text

LONGEST_PATH = 240  # characters; the columns have 255, and what a step notes beside itself adds


def check_lengths(reader: StepReader) -> None:
    """Note steps whose place is too long, of those inside each other the outermost."""
    told: list[Path] = []
    for path in reader.order:
        text = path_text(path)
        if len(text) > LONGEST_PATH and not any(path[:len(outer)] == outer for outer in told):
            told.append(path)
            reader.note(path, "too_deep", f"the place of this step has {len(text)} characters and "
                        f"{LONGEST_PATH} are most ('{text[:60]}…'); use shorter names for arms "
                        "and options, or call a workflow of its own")
