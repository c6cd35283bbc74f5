"""The results of played cases as JUnit XML, which every CI server reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from sim.result import Result
from sim.story import printable

SUITE: Final = "sixkit.sim"


def junit(results: Sequence[Result], language: str) -> str:
    """One suite with a test case for each result; its differences, in `language`, are its failure. In the form that
    Jenkins' junit-10.xsd and GitLab take: <testsuites>, <testsuite>, <testcase>, <failure>."""
    totals = {
        "tests": str(len(results)),
        "failures": str(sum(not result.good for result in results)),
        "errors": "0",
        "time": f"{sum(result.seconds for result in results):.3f}",
    }
    root = ElementTree.Element("testsuites", totals)
    suite = ElementTree.SubElement(root, "testsuite", {"name": SUITE, **totals, "skipped": "0"})
    for result in results:
        names = {"classname": SUITE, "name": printable(result.case.title), "time": f"{result.seconds:.3f}"}
        case = ElementTree.SubElement(suite, "testcase", names)
        if not result.good:
            texts = [printable(found.text(language)) for found in result.differences]
            failure = ElementTree.SubElement(case, "failure", {"message": texts[0], "type": "difference"})
            failure.text = "\n".join(texts)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"
