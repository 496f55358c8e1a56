"""The notebooks run top to bottom at a reduced size, and what they keep is their own real output."""

import ast
import getpass
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))

REPOSITORY = re.compile(r"^REPOSITORY = \"(.*)\"$", re.MULTILINE)

TRAINED = """
DATA = "digits"
VALIDATION = 100
TRIALS = 2
ROUNDS = 4
CONTROLS = (1, 4)
STEPS = 40
EVERY = 20
"""

REDUCED = {
    "1_find_a_ticket.ipynb": f'{TRAINED}FOLDER = "runs/tickets"',
    "2_look_inside.ipynb": f'{TRAINED}FOLDER = "runs/tickets"\nTRIAL = 1',
    "3_your_own_score_and_arm.ipynb": f'{TRAINED}TRIALS = 1\nROUNDS = 1\nCONTROLS = (1,)\nFOLDER = "runs"',
    "4_the_papers_lenet_figures.ipynb": 'RESULTS = "runs"\nRUNS = ("tickets",)',
}
"""The parameters of every notebook in tests; the last one draws what the first one found."""

SHOWN = {
    "1_find_a_ticket.ipynb": 2,
    "2_look_inside.ipynb": 9,
    "3_your_own_score_and_arm.ipynb": 2,
    "4_the_papers_lenet_figures.ipynb": 13,
}
"""How many figures each shows."""

CONTROL = re.compile("[\x1b\r\b]")
"""What a progress bar would leave in an output."""

OURS_ALONE = [str(Path.home()), str(ROOT), "/tmp/", "/home/", "/Users/", "/root", f"/{getpass.getuser()}/"]
"""What would tell of the machine on which a notebook was run."""


def read(name):
    return nbformat.read(FOLDER / name, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook, tag):
    (cell,) = [cell for cell in code(notebook) if tag in cell.metadata.get("tags", [])]
    return cell


def assigned(source):
    """The variables that a cell of parameters sets."""
    return {target.id for node in ast.parse(source).body for target in node.targets}


def texts(notebook):
    """Everything that a notebook's outputs say."""
    for cell in code(notebook):
        for output in cell.outputs:
            yield output.get("text", "")
            data = output.get("data", {})
            yield from (str(data[kind]) for kind in sorted(data) if kind != "image/png")


def images(notebook):
    return [
        output for cell in code(notebook) for output in cell.outputs if "image/png" in output.get("data", {})
    ]


def execute(notebook, folder):
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def reduced(name):
    """A notebook with its outputs removed and other parameters, those that it has."""
    notebook = read(name)
    cell = tagged(notebook, "parameters")
    lines = [
        line for line in REDUCED[name].strip().splitlines() if line.split(" =")[0] in assigned(cell.source)
    ]
    cell.source = "\n".join(lines)
    for each in code(notebook):
        each.outputs, each.execution_count = [], None
    return notebook


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """One folder for all notebooks, as a reader has; their kernels compile quickly rather than well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
        yield tmp_path_factory.mktemp("reader")


def test_every_notebook_is_tried():
    assert set(NOTEBOOKS) == set(REDUCED) == set(SHOWN)


@pytest.mark.long
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_top_to_bottom_at_a_reduced_size(name, place):
    if name.startswith("4") and not (place / "runs" / "tickets").exists():
        execute(reduced("1_find_a_ticket.ipynb"), place)
    done = execute(reduced(name), place)
    # ltjax is there, so nothing is installed
    assert tagged(done, "install").outputs == []
    assert not any(output.get("name") == "stderr" for cell in code(done) for output in cell.outputs)
    assert not CONTROL.search("".join(texts(done)))
    if not name.startswith("4"):
        assert len(images(done)) == SHOWN[name]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_reduced_parameters_are_the_notebooks_own(name):
    own, other = assigned(tagged(read(name), "parameters").source), assigned(REDUCED[name])
    assert own <= other and other - own <= assigned(TRAINED)


@pytest.mark.long
def test_the_last_notebook_redraws_the_committed_results_by_itself(tmp_path):
    """At full size, beside a copy of the repository's results: nothing is trained."""
    name = "4_the_papers_lenet_figures.ipynb"
    shutil.copytree(ROOT / "docs" / "results" / "lenet", tmp_path / "docs" / "results" / "lenet")
    (tmp_path / "notebooks").mkdir()
    done = execute(read(name), tmp_path / "notebooks")
    assert len(images(done)) == SHOWN[name] and list(texts(done)) == list(texts(read(name)))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_address_stands_once_in_the_first_cell_and_the_cell_is_the_same_in_all(name):
    notebook = read(name)
    install = tagged(notebook, "install")
    assert len(REPOSITORY.findall(install.source)) == 1
    assert code(notebook)[0].source == install.source
    assert install.source == tagged(read(NOTEBOOKS[0]), "install").source


@pytest.mark.parametrize("files", ["wheel", "clone", "address", "wheel clone address", ""])
def test_a_notebook_installs_a_wheel_beside_it_or_its_clone_or_from_the_address_or_says_what_it_lacks(
    files, tmp_path, monkeypatch
):
    place = tmp_path / "clone" / "notebooks"
    place.mkdir(parents=True)
    if "wheel" in files:
        (place / "ltjax-0.1.0-py3-none-any.whl").touch()
    if "clone" in files:
        (place.parent / "setup.cfg").touch()
    monkeypatch.chdir(place)
    source = tagged(read(NOTEBOOKS[0]), "install").source
    asked = [line.strip() for line in source.splitlines() if re.match(" +(wheels|clone|places) = ", line)]
    address = "https://example.org/ltjax" if "address" in files else ""
    found = {"REPOSITORY": address, "Path": Path}
    exec("\n".join(asked), found)
    expected = {
        "wheel": "ltjax-0.1.0-py3-none-any.whl", "clone": "..", "address": "git+https://example.org/ltjax",
    }  # fmt: skip
    assert found["places"] == [expected[file] for file in files.split()]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_cell_was_run_in_order_and_kept_its_output(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert not any(output.output_type == "error" for cell in code(notebook) for output in cell.outputs)
    assert len(images(notebook)) == SHOWN[name]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_outputs_tell_nothing_of_the_machine_and_hold_no_control_codes(name):
    said = "".join(texts(read(name)))
    assert [word for word in OURS_ALONE if word in said] == []
    assert not CONTROL.search(said)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_modest_and_holds_nothing_that_changes_from_run_to_run(name):
    notebook = read(name)
    assert (FOLDER / name).stat().st_size < 1_000_000
    assert not any({"execution", "collapsed"} & set(cell.metadata) for cell in notebook.cells)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert [cell.id for cell in notebook.cells] == list(dict.fromkeys(cell.id for cell in notebook.cells))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_links_lead_to_files(name):
    words = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\((?!https?:)(.*?)\)", words):
        assert (FOLDER / target).exists(), target
