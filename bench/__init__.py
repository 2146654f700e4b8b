"""Measures nbgate, each figure beside a floor of the same run: the least that the same machine could do for it.

    __main__.py   `python -m bench`: prints a table, writes a JSON document; parts.py: what there is to measure
    row.py        a figure, its floor, the aim; table.py and markdown.py write them, facts.py what they depend on
    corpus.py     the scans that are measured on; reviews.py: the reviews
    child.py      the processes that are measured; machine.py: the processors that they run on
    load.py       load with wrk or ownload.py; measure.py: what is told of it
    servers.py    nbgate and the bare servers: floor.py, and floor.go, which gofloor.py builds

    decision.py, decisionrows.py          decisions with indexes of several sizes, each in a process `inside.py`
    loading.py                            folders of scans, likewise; memory.py counts
    server.py, serverrows.py              nbgate under load, beside the bare servers
    endurance.py                          nbgate's memory after many requests that all differ
    apiserver.py, apirows.py              pods created through an API server, with and without webhooks

    scanner.py, scans.py, growing.py      scans of images in registry.py, a docker-registry whose log tells what was
                                          fetched: timed from outside with commands.py, and inside `scaninside.py`;
                                          shelf.py puts the tests' images there

Nothing here is a test: the exit code tells only whether it could be measured.
"""
