"""image -> ImageScan: what an image really does, from its registry and by starting it. Never imported by server/.

    reference -> Source -> Image (a PlatformImage per platform) -> Files (its layers) and Observation (a probe)
              -> seven checks a platform -> the worst of them -> ScanDocument

Everything that is read here was written by strangers: every read is bounded, every blob is verified against its digest
while it streams, nothing is unpacked to disk, and a limit that is passed is an error, never a cut.

    errors       why an image cannot be scanned        image        descriptors, manifests, configs as values
    source       where bytes come from (protocol)      sources      registries, oci:DIR, docker-archive:FILE
    layers       tar streams -> LayerContents -> Files probes       start it as Kubeflow would -> Observation
    checks       one file per requirement, pure        facts        CUDA and other accelerators, sizes, user, ports
    progress     what a person sees meanwhile          scanning     everything together -> ScanDocument
"""
