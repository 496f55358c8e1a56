"""Writes the repository's address, which is not known yet, into every file that needs it.

Set ``ADDRESS`` below and run ``python docs/address.py``. While it is empty no file names an address, and the
badges lead to Colab's start page, where a notebook is uploaded.
"""

import re
import sys
from pathlib import Path

ADDRESS = ""
"""Such as ``https://github.com/NAME/ltjax``."""

ROOT = Path(__file__).parent.parent
COLAB = "https://colab.research.google.com/"
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def main() -> None:
    """Write the address into the files."""
    for path, text in written(ADDRESS).items():
        path.write_text(text, encoding="utf-8")


def written(address: str) -> dict[Path, str]:
    """Each file that tells the address, as it should be."""
    owner = address.removeprefix("https://github.com/")
    found = {}
    for name in NOTEBOOKS:
        path = ROOT / "notebooks" / name
        found[path] = re.sub(
            r'REPOSITORY = \\"[^"\\]*\\"', rf'REPOSITORY = \\"{address}\\"', path.read_text()
        )
    colab = COLAB + (f"github/{owner}/blob/main/notebooks/" if address else "")
    readme = (ROOT / "README.md").read_text()
    for name in NOTEBOOKS:
        where = colab + (name if address else "")
        readme = re.sub(
            rf"^\[colab {name[0]}\]: .*$", f"[colab {name[0]}]: {where}", readme, flags=re.MULTILINE
        )
    found[ROOT / "README.md"] = readme
    found[ROOT / "setup.cfg"] = _line("setup.cfg", "author = ", f"url = {address}" * bool(address), "url = ")
    found[ROOT / "CITATION.cff"] = _line(
        "CITATION.cff", "license: ", f"repository-code: {address}" * bool(address), "repository-code: "
    )
    return found


def _line(name: str, after: str, line: str, start: str) -> str:
    """A file with a line after another one, in place of the one that starts as it does; or without it."""
    lines = [each for each in (ROOT / name).read_text().splitlines() if not each.startswith(start)]
    at = next(at for at, each in enumerate(lines) if each.startswith(after)) + 1
    return "\n".join([*lines[:at], *[line] * bool(line), *lines[at:]]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
