"""Certificates for the webhook: issue, show, renew, rotate. Imports nothing of `webhook`.

A module imports only modules that stand below it:

    selfsigned            keeps a directory of our own issue fresh: alone decides by itself to write
    handrotation          changes the CA of such a directory, in three runs
    context               a checked pair -> the ssl.SSLContext that serves it
    directory             load a checked pair as a Secret mounts it, write one, watch it
    files lock            one bounded read, one atomic replacement, one lock between processes
    upkeep                PURE: what a directory of our own issue needs next, and why
    rotation              PURE: what the certificates of an installation in a cluster need next; its theory stands there
    rotationprogress      PURE: how far a rotation is, for people
    rotationauthority     PURE: its steps for CAs,
      rotationleaf          for leaves,
      rotationend           and for CAs that are over
    rotationview          PURE: what was found, and what that means
    rotationstate         PURE: what is kept between two steps: the data of Secret nbgate-ca
    rotationsteps         PURE: what is seen, and what may be done next: values
    bundle                PURE: a caBundle: read, merge, write
    authority             PURE but for randomness: issues a CA and the leaves below it
    checks                PURE: every fault of a certificate at once
    lifetime              PURE: from when to when, and when to renew
    certificate keypair   PURE: the values, read from PEM
    hosts layout errors   the words: hosts, file names, what can go wrong

The time of day is an argument everywhere, aware, and never read inside.
"""
