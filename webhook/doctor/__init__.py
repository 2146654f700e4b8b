"""`nbgate doctor`: what is wrong with an installation, and what to type. Nothing is written: creations are dry runs.

    a Site (the cluster, each object fetched once) ──► each Check by itself ──► Findings: what, where, what to type

One file per check: its id in brackets, a pure `judge` over documents, a `_look` that fetches, and CHECK. `examination`
has their order. What this version installs, with which the cluster is compared, stands in `expected` and
`expectedrights`; `recognition` sees how the installation was made, and `place` puts that into commands.
"""
