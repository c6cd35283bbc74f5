"""JUnit XML as CI servers read it: the counts, the failures, and titles that no XML could hold."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from protocol.words import Told
from sim.case import parse
from sim.judge import Outcome
from sim.junit import junit
from sim.result import Result

# What junit-10.xsd allows of what we write: element: (attributes it must have, those it may have, its children).
SCHEMA = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors", "disabled"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
        {"testcase", "properties", "system-out", "system-err"},
    ),
    "testcase": ({"name", "classname"}, {"time", "assertions", "status"}, {"failure", "error", "skipped"}),
    "failure": (set(), {"message", "type"}, set()),
}


def result(title: str, *differences: Told, seconds: float = 1.25) -> Result:
    text = f'title = "{title}"\n[home]\nterminals = [{{ id = "button-1", kind = "button" }}]\n'
    text += "[[expect]]\nnothing_else = true\n"
    return Result(parse(text.encode(), "case.toml"), differences, Outcome([], [], frozenset()), seconds=seconds)


def checked(text: str) -> ElementTree.Element:
    """The document, which keeps to the schema and counts right."""
    root = ElementTree.fromstring(text)
    for element in root.iter():
        required, allowed, children = SCHEMA[element.tag]
        assert required <= set(element.attrib) <= required | allowed
        assert {child.tag for child in element} <= children
    for suite in root.iter("testsuite"):
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
    assert all(
        re.fullmatch(r"\d+\.\d{3}", element.attrib["time"]) for element in root.iter() if "time" in element.attrib
    )
    return root


@pytest.mark.parametrize(("language", "words"), [("en", "lost\ndoubled"), ("zh", "丢失\n重复")])
def test_each_case_is_there_with_its_time_and_its_differences(language: str, words: str) -> None:
    results = [result("one"), result("two", Told("lost", "丢失"), Told("doubled", "重复"), seconds=2)]
    root = checked(junit(results, language))
    good, bad = root.iter("testcase")
    assert (good.attrib["name"], good.attrib["time"], list(good)) == ("one", "1.250", [])
    [failure] = bad
    assert failure.text == words
    assert failure.attrib["message"] == words.split("\n")[0]
    assert root.attrib["time"] == "3.250"


def test_hostile_titles_and_differences_stay_words() -> None:
    bad = "</failure><evil/> & \x00 \x1b \ud800 \uffff ]]>"
    root = checked(junit([result("<evil>&amp;", Told(bad, bad))], "en"))
    assert next(root.iter("testcase")).attrib["name"] == "<evil>&amp;"
    assert next(root.iter("failure")).text == "</failure><evil/> & \ufffd \ufffd \ufffd \ufffd ]]>"


def test_no_case_is_an_empty_suite() -> None:
    assert checked(junit([], "en")).attrib["tests"] == "0"
