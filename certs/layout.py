"""The files of a directory of certificates, named as a Secret mounts them."""

LEAF_CERTIFICATE = "tls.crt"
"""The server's certificate, then any intermediates."""

LEAF_KEY = "tls.key"

CLIENT_AUTHORITIES = "client-ca.crt"
"""Optional: the CAs whose clients may connect (mutual TLS)."""

AUTHORITY_CERTIFICATE = "ca.crt"
"""What clients trust. In a directory of our own issue, the certificate of `ca.key`."""

AUTHORITY_KEY = "ca.key"
"""Only in a directory of our own issue: the leaf can be renewed while clients trust the same CA."""
