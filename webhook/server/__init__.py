"""The HTTP edge: gunicorn's worker and settings, the Flask application, health, metrics, TLS and the audit log.

No network call is ever made in the request path: this room never imports webhook.scanner, webhook.kube or kubernetes,
and import-linter enforces it.
"""
