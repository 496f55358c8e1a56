"""Writes the figures and verdicts into study.md: from the registries, and from what lies in results/.

python docs/study.py
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ltjax.analysis.results import Absent, Study, read_study
from ltjax.runs.folder import read_config
from ltjax.settings.schema import Experiment
from ltjax.studies import CLAIMS, FIGURES, NETWORKS, in_order
from ltjax.studies.frankle2019.requirements import paper_steps

DOCS = Path(__file__).parent
PAGE = DOCS / "study.md"
MARKS = re.compile(r"(<!-- study -->\n).*(<!-- /study -->)", re.DOTALL)

PAPERS = "ltjax.studies.frankle2019."
"""Where the claims of the paper are; those of the embedded experiment are not the paper's."""

SECTIONS = {
    8: "The main text",
    10: "Appendix B: rewinding and continued training",
    11: "Appendix C: early stopping",
    13: "Appendix D: training accuracy",
    14: "Appendix E: random reinitialisation and random sparsity",
    25: "Appendix F: tickets of LeNet from inside",
    31: "Appendix G: settings of LeNet",
    37: "Appendix H: settings of Conv-2/4/6",
    45: "Appendix I: settings of VGG-19 and Resnet-18",
}
"""The paper's parts, each by its last figure."""


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page(PAGE.read_text()), encoding="utf-8")


def page(text: str) -> str:
    """The page with what is between its marks as it should be."""
    written = "\n".join(body())
    return MARKS.sub(lambda found: f"{found[1]}\n{written}\n{found[2]}", text)


def body() -> Iterator[str]:
    """The lines of every figure and its claims, in the paper's order."""
    claims = verdicts()
    yield told(claims)
    section = ""
    for name in in_order():
        if section_of(name) != section:
            section = section_of(name)
            yield f"## {section}\n"
        yield f"### {called(name)}\n\n{FIGURES[name].title}.\n"
        yield drawn(name)
        if len(rows := claims[claims["figure"].map(lambda figures, name=name: name in figures.split(", "))]):
            yield "| claim | the paper | ours | verdict |\n|---|---|---|---|"
            yield from (row(claim) for _, claim in rows.iterrows())
            yield ""


def section_of(name: str) -> str:
    """The part of the paper that a figure is in."""
    number = name.rstrip("abc")
    if not number.isdigit():
        return "Not in the paper"
    return next(title for last, title in SECTIONS.items() if int(number) <= last)


def called(name: str) -> str:
    """A figure's heading."""
    return f"Figure {name}" if name[0].isdigit() else name.capitalize()


def drawn(name: str) -> str:
    """Our figures, each with what it is drawn from; or what is missing."""
    found = sorted(DOCS.glob(f"results/*/figures/figure_{name}.png"))
    if not found:
        what, command = lacking(name)
        return f"Not run yet: {what}.\n\n```sh\n{command}\n```\n"
    images = [f"![{called(name)}, ours]({path.relative_to(DOCS)})" for path in found]
    whence = [length(source(path.parent.parent, name)) for path in found]
    return "".join(f"{image}\n\n*{told}*\n\n" for image, told in zip(images, whence, strict=True)) + (
        f"```sh\n{lacking(name)[1]}\n```\n"
    )


def lacking(name: str) -> tuple[str, str]:
    """What a figure needs, in words, and the command that runs it."""
    try:
        FIGURES[name].draw(Study([]))
    except Absent as absent:
        return absent.what, absent.command
    raise AssertionError(f"figure {name} was drawn from nothing")


def source(folder: Path, name: str) -> Path:
    """The committed run that a figure is drawn from: one looked into where it needs checkpoints."""
    needed = "anatomy.parquet" if "checkpoints" in lacking(name)[0] else "curves"
    return min(folder.glob(f"*/{needed}")).parent


def length(home: Path) -> str:
    """Which network a committed run is of, on what, and how it compares with the paper's in length."""
    run, paper = steps(home)
    whole = f"the paper's {paper:,} steps"
    each = f"{run.train.steps:,} steps, not {whole}" if run.train.steps != paper else whole
    (results,) = read_study([home]).runs
    device = results.environment["devices"][0].split(": ")[1]
    on = "a CPU" if device == "cpu" else f"one {device}"
    how = f"[How it was run](results/{home.parent.name}/README.md)"
    return f"{NETWORKS[run.model.name].name}, {run.trials} trials of {each}, on {on}. {how}."


def steps(home: Path) -> tuple[Experiment, int]:
    """What a committed run is of, and how long the paper's is."""
    run = read_config(home)
    paper = paper_steps(run)
    assert paper is not None
    return run, paper


def verdicts() -> pd.DataFrame:
    """A row for every claim of the paper, judged by the committed runs that could judge it."""
    folders = {
        path.parent.name: pd.read_csv(path, keep_default_na=False)
        for path in DOCS.glob("results/*/claims.csv")
    }
    # what is not run is told by runs of the claim's own network first, then by those that judge most
    tables = [rows.assign(unjudged=rows["verdict"] == "not run", elsewhere=rows["network"] != name)
              for name, rows in sorted(folders.items())]  # fmt: skip
    tables.sort(key=lambda rows: int(rows["unjudged"].sum()))
    rows = pd.concat(tables, ignore_index=True)
    rows = rows.sort_values(["unjudged", "elsewhere"], kind="stable")
    first = rows.drop_duplicates("id").set_index("id")
    papers = [name for name, claim in CLAIMS.items() if claim.measure.__module__.startswith(PAPERS)]
    return first.loc[papers].reset_index()


def told(claims: pd.DataFrame) -> str:
    """How much of the paper has been run, in a sentence."""
    paper = [name for name in FIGURES if name[0].isdigit()]
    ours = [name for name in paper if any(DOCS.glob(f"results/*/figures/figure_{name}.png"))]
    every, drawn = (len({name.rstrip("abc") for name in names}) for names in (paper, ours))
    judged = ", ".join(f"{count} {verdict}" for verdict, count in claims["verdict"].value_counts().items())
    return (
        f"Of the paper's {every} figures with results {drawn} are drawn here from runs of ours, some "
        f"of them for one of their networks only. Of {len(claims)} claims: {judged}.\n"
    )


def row(claim: pd.Series) -> str:
    """A claim's row; where it was not run, the command that would run it in place of our numbers."""
    ours = f"`{claim['command']}`" if claim["unjudged"] else claim["ours"]
    return f"| {claim['id']} | {claim['paper']} | {ours} | {claim['verdict']} |".replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
