"""One ticket seen from inside: masks as images, what units see, how many connections they keep."""

import numpy as np
import pytest

from ltjax import Ticket, UserError
from ltjax.analysis.results import read_study
from ltjax.analysis.weight_statistics import connections
from ltjax.plots import tickets
from ltjax.studies import FIGURES

pytestmark = pytest.mark.rendered

KEEP, PRUNE = True, False

FC1 = np.array([[KEEP, KEEP, PRUNE], [KEEP, PRUNE, PRUNE], [KEEP, PRUNE, PRUNE], [PRUNE, KEEP, PRUNE]])
OUTPUT = np.array([[KEEP, KEEP], [PRUNE, KEEP], [PRUNE, PRUNE]])
MASK = {"fc1": {"kernel": FC1, "bias": np.ones(3, bool)}, "output": {"kernel": OUTPUT}}
THETA0 = {"fc1": {"kernel": np.arange(1.0, 13.0).reshape(4, 3), "bias": np.zeros(3)},
          "output": {"kernel": np.ones((3, 2))}}  # fmt: skip
TICKET = Ticket(THETA0, MASK)
CONVOLUTION = {"conv1": {"kernel": np.ones((3, 3, 1, 1), bool)}}


def images(figure):
    """The arrays shown in the panels, in reading order, and the panels' titles."""
    shown = [axes for axes in figure.axes if axes.images]
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in shown]
    return [axes.images[0].get_array() for axes in shown], titles


def test_every_unit_is_told_its_connections():
    units = connections(MASK).set_index(["layer", "unit"])
    assert units.loc["input", "outgoing"].tolist() == [2, 1, 1, 1]
    assert units.loc["fc1"][["incoming", "outgoing"]].values.tolist() == [[3, 2], [2, 1], [0, 0]]
    assert units.loc["output", "incoming"].tolist() == [1, 2]


def test_nothing_leads_into_the_input_or_out_of_the_output():
    units = connections(MASK).set_index("layer")
    assert units.loc["input", "incoming"].isna().all() and units.loc["output", "outgoing"].isna().all()


def test_a_mask_is_an_image_of_units_by_inputs():
    (fc1, output), titles = images(tickets.mask_images(MASK))
    np.testing.assert_array_equal(fc1, FC1.T)
    np.testing.assert_array_equal(output, OUTPUT.T)
    assert titles == ["fc1: 5 of 12 connections", "output: 3 of 6 connections"]


def test_fields_are_the_surviving_initial_values_from_the_fullest_unit_to_the_emptiest():
    shown, titles = images(tickets.fields(TICKET, (2, 2, 1)))
    assert titles[:3] == ["3", "2", "0"]
    np.testing.assert_array_equal(shown[0].filled(0), [[1, 4], [7, 0]])
    np.testing.assert_array_equal(shown[1].filled(0), [[2, 0], [0, 11]])
    assert shown[2].mask.all()


def test_fewer_fields_are_spread_from_the_fullest_to_the_emptiest():
    assert images(tickets.fields(TICKET, (2, 2, 1), units=2))[1][:2] == ["3", "0"]


def test_a_network_that_does_not_see_the_image_is_told():
    with pytest.raises(UserError, match="has 4 inputs, not 9"):
        tickets.fields(TICKET, (3, 3, 1))
    with pytest.raises(UserError, match="no fully-connected layer"):
        tickets.mask_images(CONVOLUTION)


def test_a_figure_shows_itself_in_a_notebook_the_same_each_time(finished):
    draw = FIGURES["4a"].draw
    first, again = (draw(read_study([finished.folder]))._repr_png_() for _ in range(2))
    assert first.startswith(b"\x89PNG") and first == again
