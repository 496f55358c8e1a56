"""The report's command line: what it writes and says, what it refuses and how."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys

import pandas as pd
import pytest
from rich.console import Console

from ltjax.cli.commands import report
from ltjax.plots import saving
from ltjax.runs import paths
from ltjax.studies import CLAIMS, Drawn

from .conftest import SAVE
from .test_page import Parsed, verdicts


def command(*arguments: object, expect: int = 0) -> None:
    """Run the command line in this process and check its exit status."""
    status = 0
    try:
        report.main([str(argument) for argument in arguments])
    except SystemExit as left:
        status = left.code or 0
    assert status == expect


@pytest.fixture(scope="module")
def copied(tmp_path_factory, finished):
    """A finished run that a report may be written into."""
    return shutil.copytree(finished.folder, tmp_path_factory.mktemp("reports") / "tiny")


@pytest.fixture(scope="module")
def reported(copied):
    """The run with its report written, and what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "ltjax.report", str(copied)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return copied, done


def test_a_report_writes_figures_claims_anatomy_and_the_page(reported):
    folder, _ = reported
    png, svg = ({path.stem.removeprefix("figure_") for path in paths.figures(folder).glob(f"*.{kind}")}
                for kind in ("png", "svg"))  # fmt: skip
    assert png == svg == {"3", "4a", "4b", "11", "12", "15", "19", "20", "layers", "methods", "untrained"}
    claims = pd.read_csv(paths.claims(folder)).set_index("id")
    assert claims["verdict"].to_dict() == dict.fromkeys(
        CLAIMS, "not run"
    )  # they are about MNIST and CIFAR-10
    anatomy = pd.read_parquet(paths.anatomy(folder))
    assert set(anatomy["round"]) == {0, 1, 2} and set(anatomy["layer"]) >= {"fc1", "fc2", "output"}
    parsed = Parsed(paths.report(folder).read_text())
    text = " ".join(parsed.text.split())
    assert not parsed.open and "lenet on digits, 2 trials, rounds 0 to 2, 40 steps each by adam" in text
    assert parsed.sources and f"python -m ltjax.report {folder}" in text


def test_a_report_says_what_came_of_it_without_colour_where_there_is_no_terminal(reported):
    folder, done = reported
    said = " ".join(done.stdout.split())
    assert f"drawn in {paths.figures(folder)}: Figures" in said and "verdict" not in said
    assert "figures need other runs; the page says which" in said
    assert f"{len(CLAIMS)} claims need other runs; the page says which" in said
    assert str(paths.report(folder)) in done.stdout and "\x1b" not in done.stdout and not done.stderr


def test_80_columns_are_enough_for_what_a_report_says(tmp_path):
    file = io.StringIO()
    drawn = [Drawn(f"{number}", "", f"figure_{number}") for number in range(1, 40)] + [
        Drawn("x", "", missing="y")
    ]
    report._tell(Console(file=file, width=80), tmp_path, drawn, verdicts())
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert max(map(len, lines[:-1])) <= 80 and lines[-1] == f"the page: {tmp_path / 'report.html'}"
    for said in ("1 figure needs other runs; the page says which",
                 "1 claim needs other runs; the page says which",
                 "A1     reproduced      ours is 41%", "A2     not reproduced  ours is 1%"):  # fmt: skip
        assert said in lines
    assert not any("its paper" in line for line in lines)


def test_the_same_runs_give_the_same_page_byte_for_byte(reported, monkeypatch):
    monkeypatch.setattr(saving, "save", SAVE)
    folder, _ = reported
    before = {path: path.read_bytes() for path in (paths.report(folder), paths.claims(folder))}
    command(folder)
    assert {path: path.read_bytes() for path in before} == before


def test_a_report_elsewhere_leaves_the_run_as_it_was(tmp_path, finished, undrawn):
    before = sorted(finished.folder.rglob("*"))
    command(finished.folder, "--to", tmp_path / "out" / "deep")
    assert sorted(finished.folder.rglob("*")) == before
    written = {path.name for path in (tmp_path / "out" / "deep").iterdir()}
    assert written == {"claims.csv", "methods.csv", "report.html"}


def test_figures_of_checkpoints_are_drawn_from_the_anatomy_where_they_were_not_kept(
    reported, tmp_path, capsys
):
    folder, _ = reported
    kept = shutil.copytree(folder, tmp_path / "kept", ignore=shutil.ignore_patterns("checkpoints", "figures"))
    command(kept)
    drawn = {path.name for path in paths.figures(folder).iterdir()}
    assert {path.name for path in paths.figures(kept).iterdir()} == drawn
    assert "checkpoints, which note it, were not kept" in paths.report(kept).read_text()


def test_several_runs_are_one_report(reported, tmp_path, undrawn):
    folder, _ = reported
    other = shutil.copytree(folder, tmp_path / "other", ignore=shutil.ignore_patterns("curves", "figures"))
    command(folder, other, "--to", tmp_path / "out")
    text = " ".join(Parsed((tmp_path / "out" / "report.html").read_text()).text.split())
    assert "tiny (tiny)" in text and "tiny (other)" in text


def test_a_run_with_nothing_trained_is_refused(tmp_path, finished, capfd):
    (tmp_path / "config.json").write_bytes(paths.config(finished.folder).read_bytes())
    command(tmp_path, expect=2)
    assert "nothing has been trained yet" in capfd.readouterr().err


def test_a_run_with_nothing_trained_beside_others_is_told(tmp_path, finished, undrawn, capfd):
    (tmp_path / "config.json").write_bytes(paths.config(finished.folder).read_bytes())
    command(finished.folder, tmp_path, "--to", tmp_path / "out")
    out = " ".join(capfd.readouterr().out.split())
    assert "nothing has been trained yet in" in out


def test_bad_input_is_one_clear_sentence_and_status_2(tmp_path, capfd, finished):
    (tmp_path / "file").write_text("")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "config.json").write_text(json.dumps({"name": 3}))
    cases = [
        ([], "name the folder of at least one run: python -m ltjax.report RUN [RUN …]"),
        ([tmp_path / "nowhere"], "holds no run of ltjax"),
        ([tmp_path], "holds no run of ltjax"),
        ([tmp_path / "file"], "holds no run of ltjax"),
        ([tmp_path / "damaged"], "is damaged"),
        ([finished.folder, "--too", tmp_path], "--to"),
        ([finished.folder, "--to"], "--to"),
    ]  # fmt: skip
    for arguments, message in cases:
        command(*arguments, expect=2)
        out, err = capfd.readouterr()
        assert message in err and "Traceback" not in out + err, arguments


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_told(place, tmp_path, finished, capfd):
    (tmp_path / "file").write_text("")
    command(finished.folder, "--to", tmp_path / place, expect=1)
    err = capfd.readouterr().err
    assert str(tmp_path / "file") in err and "Traceback" not in err and err.count("\n") == 1


PERMITTED = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""What root starts a program with that may do no more with files than their permissions say."""


def test_a_folder_without_permission_is_told(tmp_path, finished):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    report_it = [sys.executable, "-m", "ltjax.report", finished.folder, "--to", tmp_path / "out"]
    done = subprocess.run([*PERMITTED, *report_it], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "Permission denied" in done.stderr and str(tmp_path / "out") in done.stderr
    assert not list(tmp_path.iterdir())


def test_help_tells_the_options(capsys):
    command("--help")
    out = capsys.readouterr().out
    assert "RUN" in out and "--to" in out and "report.html" in out


def test_an_interruption_ends_with_130_and_the_command_that_repeats(finished, tmp_path, monkeypatch, capfd):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report.studies, "draw", interrupted)
    command(finished.folder, "--to", tmp_path / "a b", expect=130)
    assert f"repeat: python -m ltjax.report {finished.folder} --to '{tmp_path}/a b'" in capfd.readouterr().err
