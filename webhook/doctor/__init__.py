"""`nbgate doctor`: what is wrong with an installation, and what to type.

One file per check; each reads, none writes.
"""
