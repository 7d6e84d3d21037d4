"""Smoke reports as JUnit XML, which CI servers and dashboards show: an instance a suite, a step a case."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping

from deploy.smoke.report import SmokeReport


def junit(reports: Mapping[str, SmokeReport], failures: Mapping[str, str]) -> bytes:
    """The document, UTF-8. `reports` by instance; `failures`: why others were not even begun."""
    root = ET.Element("testsuites", name="calstack smoke")
    for name, report in reports.items():
        count = sum(step.outcome == "failed" for step in report.steps)
        suite = _suite(root, name, len(report.steps), count, report.seconds)
        suite.set("timestamp", report.started.strftime("%Y-%m-%dT%H:%M:%S"))
        suite.set("skipped", str(sum(step.outcome == "skipped" for step in report.steps)))
        for step in report.steps:
            case = _case(suite, name, step.name, step.seconds)
            fault = report.fault
            if step.outcome == "skipped":
                ET.SubElement(case, "skipped", message=_clean(step.detail))
            elif step.outcome == "failed" and fault is not None and fault.step == step.name:
                failed = ET.SubElement(case, "failure", type=fault.name, message=_clean(fault.what))
                failed.text = _clean(f"likely cause: {fault.cause}\nfix: {fault.fix}")
            elif step.outcome == "failed":
                ET.SubElement(case, "failure", type="follow-up", message=_clean(step.detail))
            elif step.detail:
                ET.SubElement(case, "system-out").text = _clean(step.detail)
    for name, why in failures.items():
        case = _case(_suite(root, name, 1, 1, 0.0), name, "begin", 0.0)
        ET.SubElement(case, "failure", type="not-begun", message=_clean(why.splitlines()[0])).text = _clean(
            why
        )
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _suite(root: ET.Element, name: str, tests: int, failed: int, seconds: float) -> ET.Element:
    return ET.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(tests),
        failures=str(failed),
        errors="0",
        time=f"{seconds:.3f}",
    )


def _case(suite: ET.Element, name: str, step: str, seconds: float) -> ET.Element:
    return ET.SubElement(
        suite, "testcase", classname=f"calstack.smoke.{name}", name=step, time=f"{seconds:.3f}"
    )


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold (XML 1.0 §2.2)."""
    return "".join(letter if letter in "\t\n" or letter >= " " else " " for letter in text).replace(
        "\ufffe", " "
    )
