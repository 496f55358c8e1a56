"""Text from outside: names and paths that can be, strict JSON, small files."""

import pytest

from ltjax.core.errors import UserError, escaped, shown
from ltjax.core.texts import FILE_BYTES, name_flaw, path_flaw, read_json, read_text


@pytest.mark.parametrize(
    "name", ["a", "x" * 255, "ein Lauf", "漢字", "...", ".hidden", "-x", "widths=25-9,fc=None"]
)
def test_what_names_one_folder_can_be_a_name(name):
    assert not name_flaw(name) and not path_flaw(f"/runs/{name}/x")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "/", "a\\b", "../a", "a\0", "a\n", "\ud800", "漢" * 86]
)
def test_what_names_no_folder_or_another_cannot(name):
    assert name_flaw(name).startswith("must ")


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 256, "x/" * 1501, "\udcff", "y" * 5000])
def test_what_no_file_system_takes_is_no_path(path):
    assert path_flaw(path).startswith("must be a path")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' is there twice"),
        ('[1, {"a": NaN}]', "NaN is no number"),
        ("-Infinity", "-Infinity is no number"),
        ("[" * 100_000, "nested too deeply"),
        ("{", "Expecting"),
        ("9" * 5000, "digits"),
    ],
)
def test_json_is_read_strictly(text, message):
    with pytest.raises(ValueError, match=message):
        read_json(text)


def test_what_cannot_be_read_as_text_says_why(tmp_path):
    (tmp_path / "bytes").write_bytes(b"ab\xff")
    (tmp_path / "large").write_bytes(b" " * (FILE_BYTES + 1))
    for name, message in [
        ("none", "No such file"),
        ("", "no file"),
        ("bytes", "at byte 2"),
        ("large", "more than"),
    ]:
        with pytest.raises(UserError, match=message):
            read_text(tmp_path / name)


def test_what_a_message_shows_is_short_and_plain():
    assert shown(10**5000) == "something of type int that cannot be shown"
    assert len(shown("x" * 10**6)) < 120 and shown("\x1b[31m") == "'\\x1b[31m'"
    assert escaped("a\nb\x1b\udcff") == "a b\\x1b\\udcff"
