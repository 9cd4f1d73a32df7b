#!/usr/bin/python3
"""Make fixtures/eras: the part of the matrix that `make check` reads without Python.

    /usr/bin/python3 tests/make/make_eras.py FIXTURES

Needs Debian's python3-torch (1.13.1).  The form of NAME.expected.json and truth-NAME.json is
that of make_checkpoints.py, and has one more key: `says`, texts that standard error must
have.  The lines of FIXTURES/README between the marks are written too.
"""
import fnmatch
import os
import shutil
import sys
import zipfile

sys.dont_write_bytecode = True
import era_cells
from era_grid import make_truths
from make_checkpoints import (make_zip, readme_line, save, write_fixture, write_json,
                              write_readme, write_truth)

BEGIN = "begin: written by tests/make/make_eras.py"

# Names of cells, as the shell matches them.
CHOSEN = [
    "small-*", "1p-fp16-C-23.04-tp2-pp1", "1p-fp32-Cn-core_v0.4.0-tp1-pp1",
    "1p-bf16-Ct-core_v0.4.0-tp1-pp1", "1p-fp16-D-core_v0.12.0-tp1-pp2",
    "1p-fp16-Dt-core_v0.16.0-tp1-pp1", "erf-B-v1.0-tp2-pp1", "erf-B-v2.0-tp1-pp1",
    "erf-C-v2.5-tp1-pp1", "untied-C-23.04-tp2-pp1", "untied-D-core_v0.12.0-tp1-pp2",
    "untied-1p-nobias-Cn-core_v0.8.0-tp1-pp1", "nobias-C-23.04-tp1-pp2",
    "nobias-tanh-Ct-core_v0.5.0-tp1-pp1", "nobias-D-core_v0.8.0-tp2-pp1",
    "qkvbias-D-core_v0.8.0-tp2-pp1", "relu2-C-23.04-tp1-pp1",
    "relu2-nobias-D-core_v0.12.0-tp1-pp1",
    "ffn-C-v2.5-tp2-pp1", "ffn-Dt-core_v0.12.0-tp1-pp1",
    "stages-standalone-embedding", "stages-standalone-embedding-vpp", "stages-uneven-first-last",
    "stages-uneven-vpp", "stages-counted-*", "stages-layout-*", "stages-untied-pp3-deflated",
    "label-*", "tool-*", "folders-model*-deflated", "folders-beside-deflated",
    "folders-iteration-*-deflated", "folders-model_rng-folder",
    "folders-iteration-absent", "args-*", "options-*", "refuse-*", "contradict-*", "shards-*", "drift-*",
    "norms-*"]


def status_class(status):
    """The first word of a fixture's name."""
    first = status[0] if isinstance(status, list) else status
    return {0: "good", 2: "usage", 4: "unsupported"}.get(first, "bad")


def content(cell):
    files = {name: data if isinstance(data, bytes) else save(data, cell.zipped)
             for name, data in cell.files().items()}
    if cell.outer is None:
        return "", files
    return ".zip", make_zip(files, zipfile.ZIP_DEFLATED)


def main():
    folder = os.path.join(sys.argv[1], "eras")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    lines, truths, unused = [], {}, set(CHOSEN)
    for cell in era_cells.cells(make_truths()):
        matching = {pattern for pattern in CHOSEN if fnmatch.fnmatch(cell.name, pattern)}
        if not matching:
            continue
        unused -= matching
        if cell.outer is None and not cell.name.startswith("folders"):
            cell.outer = "deflated"
        ending, what = content(cell)
        name = "%s-%s%s" % (status_class(cell.status), cell.name, ending)
        expected = dict(status=cell.status, options=cell.options)
        if cell.says:
            expected["says"] = cell.says
        if cell.slug:
            expected["slug"] = cell.slug
        if cell.truth:
            expected["truth"] = "truth-%s.json" % cell.truth.name
            truths[cell.truth.name] = cell.truth
        path = write_fixture(folder, name, what)
        write_json(path + ".expected.json", expected)
        lines.append(readme_line("eras/" + name, cell.status, cell.text or cell.name))
    for name, config in era_cells.CONFIGS.items():
        write_json(os.path.join(folder, name), config)
    for name, truth in truths.items():
        write_truth(os.path.join(folder, "truth-%s.json" % name), truth)
    write_readme(os.path.join(sys.argv[1], "README"), BEGIN, lines)
    if unused:
        raise SystemExit("no such cells: %s" % ", ".join(sorted(unused)))


if __name__ == "__main__":
    main()
