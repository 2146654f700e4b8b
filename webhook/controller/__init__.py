"""`nbgate controller`: keeps ImageScans fresh, certificates valid, and tells people on their Notebooks.

Any number of replicas. Scanning is shared by claims on the objects themselves; what must be done once is done by the
replica that holds the Lease.
"""
