"""Tables of benchmarks/results: the one in README.md, and those of the benchmarks page.

``python docs/readme_table.py`` writes the table between the markers of
README.md; with ``--check`` it only tells, by its exit status, whether the table
is the one that the result files give.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
BEGIN = "<!-- measured: written by docs/readme_table.py -->"
END = "<!-- measured: end -->"


def reports():
    """Return what the benchmarks have written, by capability."""
    return [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))]


def table(titles, rows):
    """Markdown table; a title that begins with > is that of a column of numbers."""
    rule = ["---:" if title.startswith(">") else "---" for title in titles]
    lines = [[title.lstrip(">") for title in titles], rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value, digits=3):
    """Format a number, or nothing."""
    if value is None:
        return ""
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if "e+" in text else text


def seconds(row):
    """Return our time and the peer's, on the clock that the ratio is of; or what else it is of."""
    fields = {
        "memory": ("peak_mb", " MB"), "iterations": ("iterations", " iterations"),
        "error": ("quality", " error"),
    }  # fmt: skip
    field, unit = fields.get(row["clock"], (f"{row['clock']}_s", ""))
    return number(row[field]) + unit, number(row[f"peer_{field}"]) + unit


def origin(report):
    """Say in a sentence where and when the figures were measured."""
    machine, versions = report["machine"], report["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {number(machine['memory_gb'])} GB, "
        f"BLAS {'; '.join(machine['blas'])}; {report['date'][:10]}; {packages}."
    )


def summary():
    """Return the table of README.md: every row that a bar was set for."""
    titles = ("problem", "ours", ">s", "peer", ">s", ">ratio", ">bar", "", "note")
    parts = []
    for report in reports():
        rows = [
            (
                row["problem"], row["ours"] + wall(row), seconds(row)[0], row["peer"],
                seconds(row)[1], number(row["ratio"]), number(row["bar"]), verdict(row),
                row["note"],
            )
            for row in report["rows"]
            if row["bar"] is not None
        ]  # fmt: skip
        parts += [f"`{report['command']}`", table(titles, rows), origin(report)]
    return "\n\n".join(parts) or "Nothing has been measured yet."


def wall(row):
    """Mark a row of wall time."""
    return " (wall)" if row["clock"] == "wall" else ""


def verdict(row):
    """Say whether the bar of a row is met."""
    return "" if row["met"] is None else "met" if row["met"] else "**missed**"


def details():
    """Return the body of the benchmarks page: every row of every report."""
    return "\n\n".join(map(chapter, reports())) or "Nothing has been measured yet."


def chapter(report):
    """Return the part of the benchmarks page on one capability."""
    parts = [f"## {report['capability']}", f"`{report['command']}`. {origin(report)}"]
    before, after = report["machine"]["load_before"], report["machine"]["load_after"]
    parts.append(f"Load average {number(before)} before and {number(after)} after.")
    sections = dict.fromkeys(row["section"] for row in report["rows"])
    for section in sections:
        rows = [row for row in report["rows"] if row["section"] == section]
        parts += [f"### {section}", section_table(rows)]
    if report["skipped"]:
        parts.append("Not measured: " + "; ".join(report["skipped"]) + ".")
    return "\n\n".join(parts)


def section_table(rows):
    """Return the table of one section; a column that is empty throughout is left out."""
    titles = (
        "problem", "ours", ">s", "peer", ">s", "quality", ">ours", ">peer's", ">ratio", ">bar", "",
        "note",
    )  # fmt: skip
    cells = [
        (
            row["problem"], row["ours"] + wall(row), seconds(row)[0], row["peer"], seconds(row)[1],
            row["measure"], number(row["quality"], 8), number(row["peer_quality"], 8),
            number(row["ratio"]), number(row["bar"]), verdict(row), row["note"],
        )
        for row in rows
    ]  # fmt: skip
    used = [i for i in range(len(titles)) if any(line[i] for line in cells)]
    return table([titles[i] for i in used], [[line[i] for i in used] for line in cells])


def main(arguments=None):
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if out of date")
    options = parser.parse_args(arguments)
    text = README.read_text("utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not tail:
        sys.exit(f"README.md lacks the lines {BEGIN} and {END}")
    wanted = f"{head}{BEGIN}\n{summary()}\n{END}{tail}"
    if not options.check:
        README.write_text(wanted, "utf-8")
    elif text != wanted:
        sys.exit("README.md is out of date: run python docs/readme_table.py")


if __name__ == "__main__":
    main()
