"""The JSON documents of an image: bytes -> Index, Manifest, ImageConfig. Pure; every fault is BadContent with its path.

parsing      bounded JSON, in which no key can mean two things     descriptors  what a document says of a blob
manifests    indexes and manifests, OCI's and Docker's             configs      what a container is started with
ports        `8000-8010/tcp` -> numbers
"""
