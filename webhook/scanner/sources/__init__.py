"""Where images come from: registries by the OCI distribution protocol, `oci:DIR`, `docker-archive:FILE`."""
