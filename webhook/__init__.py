"""nbgate: the admission webhook that decides which images may run as Kubeflow notebooks.

Data flows one way, and a room imports only rooms below it (import-linter enforces this):

    cli      flags and environment; puts everything together
    controller, doctor
             in a cluster: what keeps scans, certificates and notebooks going; what looks whether all is well
    server   the HTTP edge
    scanner  image -> ImageScan; server never imports it
    stores   where scans and policy live, and how they reach memory
    kube     the API server: the only importer of `kubernetes`, with portforward and kubeerrors
    core     the decision: pure, values in, values out
"""

__version__ = "0.1.0"
