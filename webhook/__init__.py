"""nbgate: the admission webhook that decides which images may run as Kubeflow notebooks.

Data flows one way, and a room imports only rooms below it (import-linter enforces this):

    cli      flags and environment; puts everything together
    server   the HTTP edge
    stores   where scans and policy live, and how they reach memory
    core     the decision: pure, values in, values out
"""

__version__ = "0.1.0"
