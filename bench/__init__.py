"""Measures nbgate, each figure beside a floor of the same run: the least that the same machine could do for it.

    __main__.py   `python -m bench`: runs the parts, prints a table, writes a JSON document
    row.py        a figure, its floor, the aim
    corpus.py     what is measured on: scans and reviews
    child.py      the processes that are measured; machine.py: the processors that they run on

    memory.py, loading.py, decision.py    measured inside `inside.py`, a fresh process for each folder of scans
    server.py                             measured from outside with load.py, beside `floor.py`, the bare servers

    scanner.py, scans.py, growing.py      scans of images in registry.py, a docker-registry whose log tells what was
                                          fetched: timed from outside with commands.py, and inside `scaninside.py`;
                                          shelf.py puts the tests' images there

Nothing here is a test: the exit code tells only whether it could be measured.
"""
