"""Certificates for the webhook: issue, show, renew. Imports nothing of `webhook`.

Data flows upward, and a module imports only modules that stand below it:

    selfsigned   keeps a directory of our own issue fresh: alone decides by itself to write
    context      a checked pair -> the ssl.SSLContext that serves it
    directory    tls.crt, tls.key and client-ca.crt as a Secret mounts them: load, write, version
    files lock   one bounded read, one atomic replacement, one lock between processes
    upkeep       PURE: what a directory of our own issue needs next, and why
    authority    PURE but for randomness: issues a CA and the leaves below it
    checks       PURE: every fault of a certificate at once
    certificate keypair hosts lifetime    PURE: the values, and the rules of RFC 5280 that they obey
    errors       the tree of what can go wrong

The time is an argument everywhere: aware datetimes, never a clock read inside.
"""
