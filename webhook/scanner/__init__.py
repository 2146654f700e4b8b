"""image -> ImageScan: what an image really does, from its registry and by starting it. Never imported by server/.

    reference -> Source -> Image (a PlatformImage per platform) -> Files (its layers) and Observation (a probe)
              -> seven checks a platform -> the worst of them -> ScanDocument

Everything that is read here was written by strangers: every read is bounded, every blob is verified against its digest
while it streams, nothing is unpacked to disk, and a limit that is passed is an error, never a cut.

    errors       why an image cannot be scanned        image        descriptors, manifests, configs as values
    source       where bytes come from (protocol)      sources      registries, oci:DIR, docker-archive:FILE
    opening      what a person typed -> a Source       resolving    Source -> Image, by documents, platforms, mediatypes
    layers       tar streams -> LayerContents -> Files probes       start it as Kubeflow would -> Observation
    checks       one file per requirement, pure        judging      the worst over the platforms; verdict, serving
    facts        CUDA and other hardware, size, ports  notes        advice that changes no verdict
    progress     what a person sees meanwhile          scanning     everything together -> ScanDocument
    saving       a result as a custom resource
"""
