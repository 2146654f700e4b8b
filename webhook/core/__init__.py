"""The decision, pure: values in, values out.

Nothing in this room reads a clock, the environment, a file or a socket, starts a thread or logs; import-linter
enforces it. The time is a parameter, fixed once per decision, so that a decision can be made again from its
audit record: one request, one snapshot, one `now`.

    reading       typed readers of untrusted mappings  words         what anybody wrote, made fit for one line
    review        AdmissionReview bytes -> Request     manifest      manifests as the requests they would become
    pod           pod specs -> frozen values           identity      which notebook, which container
    subject       what a request asks us to judge      reference     image references, one grammar
    imagepattern  patterns over repositories           cuda          which images want an NVIDIA GPU
    document      what documents share                 scan policy   ImageScan and NotebookPolicy documents
    requirements  the ids of all rules                 actions       Deny, Warn, Audit, Off; modes
    verdict       the index; reference -> Finding      rules         one file per rule -> Violations
    target        a pod to patch; JSON Patch           patch         what makes a conforming image work
    homevolume    the home's mount                     gpulimit      GPUs for CUDA images
    asking        which images a scan is asked for     policyreview  a NotebookPolicy that is being written
    decision      everything together -> Decision      message       the words for people
    audit         Decision -> audit record
"""
