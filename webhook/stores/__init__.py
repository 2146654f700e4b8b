"""Where scans and policy live, and how they reach memory: from files, from the cluster, or from both.

The room's rule: bytes come in bounded, values go out whole. What cannot be read is a value too, a `Problem` that names
file or object, document, field and cure; it never makes another one unreadable, and what was read before stays in
force. Importing or constructing starts no thread, and nothing here imports the rooms above: server, scanner, cli.

    snapshot     the Store: sources -> one Snapshot       standing        how far it can be relied on, in words
    source       what every source is                     watch           the loop that refreshes
    filesources  a folder and a policy file, as sources   clustersource   a kind in the cluster, as a source
    scandir      a folder of scans                        clusterscans    all ImageScans
    scanfile     one file of it                           clusterpolicy   the NotebookPolicy `default`
    policyfile   a policy file                            namespacemodes  the label nbgate.dev/mode
    seen         when a file is to be read                listwatch       list and watch; what proves freshness
    files        files read bounded, written whole        mirror          objects -> values; changes add up
    documents    bytes -> documents, with jsontext,       snapshotcache   the last snapshot on disk
                 yamltext, yamlscalar and tree            snapshotformat  its bytes
    problem      what cannot be read                      scanrequests    scans that admission asks for
    auditlog     the audit log read, with                 allowance       how many it may ask for
                 auditfilter and auditsummary             outstanding     what has no result yet, by who asked
    secretmirror a Secret in the cluster, as files
"""
