"""What pages and docstrings say in words of a measurement, its table says in numbers."""

import re
from pathlib import Path

import pytest

from ltjax.models import convolution
from ltjax.settings import loading

DOCS = Path(__file__).parent.parent / "docs"


def text(name):
    """A page in one line, so that a sentence is found however it is broken."""
    return " ".join((DOCS / name).read_text().split())


def rows(name):
    """The cells of a page's tables, row by row."""
    found = re.findall(r"^\|(.*)\|$", (DOCS / name).read_text(), re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in found]


def step(network, lanes):
    """Milliseconds of an evaluated step of ltjax on the H100."""
    found = [row for row in rows("performance.md") if row[:4] == [network, "ltjax", f"{lanes}", "yes"]]
    return float(found[0][4])


def five_lanes(way):
    """Milliseconds of a step of five lanes of Conv-2, executed in some way, in the first call."""
    ((found, *_),) = [row[2:] for row in rows("performance.md") if row[:2] == [way, "first"]]
    return float(found)


LENET = {lanes: step("lenet", lanes) for lanes in (5, 30, 100)}
CONV2 = {lanes: step("conv2", lanes) for lanes in (1, 5, 15)}
LOOP = five_lanes("loop") / five_lanes("default")
GROUPED = five_lanes("grouped") / five_lanes("default")


@pytest.mark.parametrize("page, said, told, measured", [
    ("howto/accelerators.md", "thirty lanes of LeNet takes twice as long as", 2, LENET[30] / LENET[5]),
    ("howto/accelerators.md", "five lanes of Conv-2 takes five times as long", 5, CONV2[5] / CONV2[1]),
    ("scaling.md", "a lane of LeNet takes 26 µs a step among five", 26, 1000 * LENET[5] / 5),
    ("scaling.md", "9 among thirty", 9, 1000 * LENET[30] / 30),
    ("scaling.md", "7 among a hundred", 7, 1000 * LENET[100] / 100),
    ("scaling.md", "a lane of Conv-2 takes 0.68 ms alone", 0.68, CONV2[1]),
    ("scaling.md", "0.64 among fifteen", 0.64, CONV2[15] / 15),
    ("architecture.md", "a loop takes 1.4 times as long for five lanes of Conv-2", 1.4, LOOP),
    ("architecture.md", "a grouped convolution 2.5 times", 2.5, GROUPED),
])  # fmt: skip
def test_a_page_that_tells_how_lanes_pay_tells_the_measured_ratio(page, said, told, measured):
    assert said in text(page) and measured == pytest.approx(told, rel=0.1)


def test_the_convolutions_docstring_tells_the_measured_ratios():
    told = " ".join(convolution._choice.__doc__.split())
    assert f"{GROUPED:.1f} times on an H100, where a loop takes {LOOP:.1f} times" in told


def milliseconds(cell):
    number, unit = cell.split()
    return float(number) / {"µs": 1000, "ms": 1}[unit]


def times():
    """Milliseconds at batch 1 and 512 of the forms of the export's three networks, dense first."""
    found = [row for row in rows("export.md") if row[-1].endswith("ms")]
    forms = [{row[2].split()[0]: row[-2:] for row in found[at : at + 3]} for at in (0, 3, 6)]
    return [{name: [*map(milliseconds, cells)] for name, cells in each.items()} for each in forms]


def test_the_ratios_that_are_told_of_an_export_hold_those_of_the_table():
    dense, small, smallest = times()
    ratios = [
        *(each["sparse"][batch] / each["dense"][batch] for each in (dense, small) for batch in (0, 1)),
        smallest["dense"][1] / smallest["sparse"][1],
        smallest["dense"][0] / smallest["compacted"][0],
    ]
    told = re.findall(r"([\d.]+) to ([\d.]+) times", text("export.md"))
    assert len(told) == len(ratios) == 6
    for (least, most), ratio in zip(told, ratios, strict=True):
        assert float(least) <= round(ratio, 1) <= float(most)


def test_pages_count_the_papers_experiments_right():
    papers = len(set(loading.experiments()) - {"digits", "mnist_5k"})
    assert f"All {papers} experiments of the paper's networks" in text("scaling.md")
    assert f"{papers} named experiments, the paper's" in text("../CHANGELOG.md")
