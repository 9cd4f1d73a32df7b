"""tests/catalogue.md must tell the truth: each row once, tests that exist, their statuses."""
import re

ROWS = 237
CELL = re.compile(r"(?<!\\)\|")


def read(path):
    """(row, statuses, tests) of every line of the tables.  A row without a test has "-" and a
    remark that says why."""
    for line in path.read_text().splitlines():
        cells = [cell.strip() for cell in CELL.split(line)[1:-1]]
        if len(cells) == 6 and cells[0].isdigit():
            yield int(cells[0]), {int(n) for n in re.findall(r"\d+",
                    cells[3])}, [] if cells[4] == "-" and cells[5] else cells[4].split("; ")


def is_there(root, test):
    """Is this a test: a golden case, a fixture with what is expected, or words in a file?"""
    found = re.fullmatch(r'([^ "]+)(?: "(.+)")?', test)
    if not found:
        return False
    name, words = found.groups()
    if name.startswith("cli/case_"):
        return (root / f"tests/{name}.sh").is_file()
    if (root / f"fixtures/{name}.expected.json").is_file():
        return True
    path = root / "tests" / name
    return path.is_file() and (words is None or words in path.read_text())


def faults(cases, root):
    """What is wrong with the table, a line for each."""
    rows, by_row = list(read(root / "tests/catalogue.md")), {}
    for case in cases:
        statuses = case.status if isinstance(case.status, tuple) else (case.status,)
        by_row.setdefault(case.row, set()).update(statuses)
    numbers = [row for row, _, _ in rows]
    if numbers != list(range(1, ROWS + 1)):
        yield f"rows are missing, repeated or out of order: {sorted(set(range(1, ROWS + 1)) ^ set(numbers))}"
    for row, statuses, tests in rows:
        for test in tests:
            if test != "catalogue" and not is_there(root, test):
                yield f"row {row}: there is no test {test}"
        if ("catalogue" in tests) != (row in by_row):
            yield f"row {row}: cases in tests/catalogue, or not?"
        elif row in by_row and statuses != by_row[row]:
            yield f"row {row}: statuses {sorted(statuses)}, the cases have {sorted(by_row[row])}"
    names = [case.name for case in cases]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two cases are named {name}"
