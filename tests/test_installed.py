"""ltjax as a stranger has it: its wheel, alone in an environment, and the pages that are followed there.

The environment sees the libraries that the tests run with, but neither the checkout nor an ltjax among them.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

import ltjax
from ltjax.settings.loading import experiments

ROOT = Path(__file__).parent.parent
HOWTOS = ("data_set", "network", "arm", "resume", "minutes")
"""The pages whose commands are all run; those of others train for long, or on machines that are not here."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy: a build in the checkout would leave its own files there."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("ltjax", "experiments"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(made), str(source))
    return next(made.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """What a shell needs to use an environment that has the wheel, started anywhere."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    pip("--python", f"{home}/bin/python", "install", "--no-deps", "--no-index", str(wheel))
    packages = next(home.glob("lib/python*/site-packages"))
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries))  # their own .pth files are not followed
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "PATH": f"{home}/bin:{os.environ['PATH']}"}


def pip(*arguments):
    done = subprocess.run([sys.executable, "-m", "pip", "-q", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def shell(command, folder, environment):
    """What a command prints, which must succeed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_wheel_holds_every_module_experiment_and_part_of_the_page_and_nothing_else(wheel):
    within = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = [("ltjax", ROOT / "ltjax"), ("ltjax/experiments", ROOT / "experiments")]
    written = {f"{place}/{path.relative_to(home)}" for place, home in sources for path in home.rglob("*")
               if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    assert within == written
    assert {"ltjax/py.typed", "ltjax/report/page.html", "ltjax/experiments/frankle2019/lenet.py"} <= within


def test_the_wheel_has_the_version_the_license_and_the_command(wheel):
    with zipfile.ZipFile(wheel) as files:
        read = {
            Path(name).name: files.read(name).decode() for name in files.namelist() if ".dist-info/" in name
        }
    assert f"\nVersion: {ltjax.__version__}\n" in read["METADATA"]
    assert read["LICENSE"] == (ROOT / "LICENSE").read_text()
    assert "ltjax = ltjax.cli.main:main" in read["entry_points.txt"]


def test_it_is_the_installed_one_that_runs(installed, tmp_path):
    found = 'from importlib.util import find_spec; print(find_spec("ltjax").origin)'
    where = shell(f"python -c '{found}'", tmp_path, installed)
    assert not Path(where.strip()).is_relative_to(ROOT) and "site-packages" in where
    assert shell("ltjax --version", tmp_path, installed) == f"ltjax {ltjax.__version__}\n"


@pytest.mark.parametrize(
    "command", ["ltjax list", pytest.param("python -m ltjax.run --list", marks=pytest.mark.long)]
)
def test_the_installed_one_has_the_experiments(command, installed, tmp_path):
    assert [line.split()[0] for line in shell(command, tmp_path, installed).splitlines()] == list(
        experiments()
    )


@pytest.mark.long  # a minute of training; continuous integration runs it
def test_the_tutorial_can_be_followed_word_for_word_in_an_empty_folder(installed, tmp_path):
    text = (ROOT / "docs" / "tutorial.md").read_text()
    install, followed = text.split("<!-- install -->\n")[1].split("```\n", 1)
    assert "pip install -c ltjax/requirements.txt ./ltjax" in install  # done already, by the fixture
    printed = [follow(language, block, tmp_path, installed) for language, block in steps(followed)]
    found, extended = printed[0], printed[5]
    compare_rows(rows_of(text), [*rows_of(found), *rows_of(extended)[-3:]])
    assert len(rows_of(extended)) == 15  # all arms of all rounds
    run = tmp_path / "runs" / "mnist_5k"
    assert "tickets stop" in found and (run / "figures" / "figure_4a.png").stat().st_size > 20_000
    claims = pd.read_csv(run / "claims.csv").query("id.str.startswith('E')")
    assert list(claims["verdict"]) == ["reproduced"] * 4
    assert (run / "report.html").stat().st_size > 1_000_000
    percents = [float(each) for each in re.findall(r"classifies (\d+)%.*?is (\d+)%", text, re.DOTALL)[0]]
    accuracies = re.findall(r"training: .*?accuracy\W+([\d.]+)", printed[3])
    assert [100 * float(each) for each in accuracies] == pytest.approx(percents, abs=6)
    assert ltjax.load_experiment(run).prune.rounds == 5


@pytest.mark.long
@pytest.mark.parametrize("page", HOWTOS)
def test_a_how_to_can_be_followed_word_for_word(page, installed, tmp_path):
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text()
    for language, block in steps(text):
        follow(language, block, tmp_path, installed)
    rows = [path.read_text().splitlines() for path in tmp_path.glob("runs/*/summary.csv")]
    assert rows and all(len(each) > 1 for each in rows)


def rows_of(table):
    """The rows of a printed table: round and arm, percent left, and the three means over trials."""
    number = r"([\d.,]+)(?: \([^)]*\))?"
    row = rf"^ +(\d+) +(?:([a-z]+) +)?([\d.]+) +{number} +{number} +{number} *$"
    found = re.findall(row, table, re.MULTILINE)
    return [
        (round, arm, left, *(float(each.replace(",", "")) for each in means))
        for round, arm, left, *means in found
    ]


def compare_rows(shown, said):
    """On another machine early-stop steps and accuracies may differ somewhat; what is left may not."""
    assert [row[:3] for row in shown] == [row[:3] for row in said] and shown
    for one, other in zip(shown, said, strict=True):
        assert other[3] == pytest.approx(one[3], rel=0.5), "early-stop step"
        assert other[4:] == pytest.approx(one[4:], abs=1.5), "accuracies"


def steps(text):
    """The blocks of shell and Python, in their order."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def follow(language, block, folder, environment):
    """Run a block; Python that begins with a file's name is written to that file."""
    if language == "sh":
        return shell(block, folder, environment)
    if named := re.match(r"# (\w+\.py)\n", block):
        (folder / named[1]).write_text(block)
        return ""
    (folder / "block.py").write_text(block)
    return shell("python -W error block.py", folder, environment)
