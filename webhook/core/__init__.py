"""The decision, pure: values in, values out.

Nothing in this room reads a clock, the environment, a file or a socket, starts a thread or logs; import-linter
enforces it. The time is a parameter, fixed once per decision, so that a decision can be made again from its
audit record: one request, one snapshot, one `now`.

    reading    typed readers of untrusted mappings       reference     image references, one grammar
    review     AdmissionReview bytes -> Request          imagepattern  patterns over repositories
    pod        pod specs -> frozen values                cuda          which images want an NVIDIA GPU
    identity   which notebook, which container           scan          ImageScan documents
    policy     NotebookPolicy documents                  verdict       the index of scans; reference -> Finding
    rules      one file per rule -> Violations           patch         what makes a conforming image work
    decision   everything together -> Decision           message       the words for people
    audit      Decision -> audit record
"""
