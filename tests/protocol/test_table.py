"""A configuration table read strictly: what is wrong is named with file, key, value and what is allowed."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.table import Table, host_and_port
from protocol.words import Told


def test_takes_each_kind_of_value():
    table = Table({"a": "x", "n": 3, "f": True, "l": ["p", "q"], "t": {"k": 1}, "ts": [{"k": 2}]}, "x.toml")
    assert table.text("a") == "x"
    assert table.number("n", 1, 5) == 3
    assert table.flag("f") is True
    assert table.texts("l") == ("p", "q")
    assert table.table("t").number("k", 0, 9) == 1
    assert [row.number("k", 0, 9) for row in table.tables("ts")] == [2]
    table.finish()


def test_a_default_stands_in_for_a_missing_key():
    assert Table({}, "x.toml").number("n", 1, 5, default=2) == 2


@pytest.mark.parametrize(
    ("take", "names"),
    [
        (lambda t: t.number("port", 1, 65535), ["gateway.toml", "port", "70000", "1 to 65535"]),
        (lambda t: t.choice("language", ("zh", "en")), ["gateway.toml", "language", "'fr'", "zh, en"]),
        (lambda t: t.text("missing"), ["gateway.toml", "missing", "a text"]),
        (lambda t: t.flag("port"), ["gateway.toml", "port", "true or false"]),
        (lambda t: t.text("language", pattern="[a-z]"), ["language", "[a-z]"]),
        (lambda t: t.finish(), ["gateway.toml", "unknown key", "port"]),
        (lambda t: t.tables("rows")[0].text("id"), ["rows[1].id", "7"]),
        (lambda t: t.texts("names"), ["names", "a list of texts"]),
    ],
)
def test_an_error_names_file_key_value_and_what_is_allowed(take, names):
    table = Table({"port": 70000, "language": "fr", "rows": [{"id": 7}], "names": [1]}, "gateway.toml")
    with pytest.raises(Told) as caught:
        take(table)
    for name in names:
        assert name in caught.value.en
    assert caught.value.zh != caught.value.en


def test_true_is_not_a_number():
    with pytest.raises(Told):
        Table({"n": True}, "x.toml").number("n", 0, 5)


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists), max_size=5))
def test_any_table_is_read_or_told_about(values):
    table = Table(values, "x.toml")
    for key in list(values):
        with contextlib.suppress(Told):
            table.text(key)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("broker.example:8883", ("broker.example", 8883)),
        ("[fd00::1]:1", ("fd00::1", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("localhost:0", None),
        ("localhost:65536", None),
        ("localhost", None),
        (":8883", None),
        ("[]:8883", None),
        ("localhost:", None),
        ("localhost:-1", None),
        ("localhost:８８８３", None),
        ("localhost:" + "9" * 10_000, None),
    ],
)
def test_a_host_and_its_port(text, parts):
    assert host_and_port(text) == parts


def test_one_address_needs_no_list():
    assert Table({"broker": "a:1"}, "x.toml").addresses("broker") == (("a", 1),)
    assert Table({"broker": ["a:1", "b:2"]}, "x.toml").addresses("broker") == (("a", 1), ("b", 2))
    assert Table({}, "x.toml").address("http", "a:0", port_least=0) == ("a", 0)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_table_or_told_about(data):
    with contextlib.suppress(Told):
        Table.parsed(data, "x.toml", bytes_max=99).finish()


def test_a_file_that_is_too_long_or_not_toml_is_told():
    with pytest.raises(Told, match=r"x\.toml: longer than 3 bytes"):
        Table.parsed(b"a = 1", "x.toml", bytes_max=3)
    with pytest.raises(Told, match=r"x\.toml: not TOML"):
        Table.parsed(b"a = ", "x.toml", bytes_max=3 + 1)


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("1.5", 1.5), ("-2", -2)])
def test_a_number_may_have_a_fraction(text: str, value: float) -> None:
    assert Table.parsed(f"a = {text}".encode(), "x", 100).real("a", -2, 2) == value


@pytest.mark.parametrize("text", ["2.1", "nan", "inf", "true", '"1"', "[1.0]"])
def test_what_is_no_number_within_its_bounds_is_told(text: str) -> None:
    with pytest.raises(Told, match=r"a is .*; allowed: a number"):
        Table.parsed(f"a = {text}".encode(), "x", 100).real("a", -2, 2)
