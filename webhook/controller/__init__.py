"""`nbgate controller`: keeps ImageScans fresh, certificates valid, and tells people on their Notebooks.

Any number of replicas. Scanning is shared by claims on the objects themselves; what must be done once is done by the
replica that holds the Lease.

    a watch -> Record -> Backlog -> a worker's turn: claim, job, status -> the object

    record       what is kept of an ImageScan         schedule     when it is due, and why: pure
    backlog      all of them; ready: which is next    registries   which are left alone for a while
    workers      threads; turn: one image, once       job          resolve its tag, scan it
    claim        whose an image is; keeper: renewals  status       what is written: pure
    fault        why a try failed, how long to wait   layermemory  what was read of layers
    endpoints    /livez, /readyz, /metrics            metrics      what they count
    fan          one watch for two                    complaints   problems, not told every second
    lastchange   when the policy became another

    leading      the Lease, and duties of its holder: certificates, touching, refusals, usage, policystatus
"""
