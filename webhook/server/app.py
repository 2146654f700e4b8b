"""All that is no AdmissionReview, as a Flask application: `/livez`, `/readyz`, `/metrics`, wrong paths and methods."""

from flask import Flask, Response, abort
from werkzeug.exceptions import HTTPException

from webhook.server.admission import Services
from webhook.server.health import render
from webhook.server.httpanswer import JSON
from webhook.server.status import render_status

# What tells whether the process lives must not hang with a disk. All else may: readiness tries a failing audit log
# again, metrics take some milliseconds to write, and Flask knows both by other spellings too (`//readyz`).
NEVER_WAITS = "/livez"


def create_app(services: Services) -> Flask:
    """Make the application. It holds no state of its own."""
    app = Flask("nbgate", static_folder=None)
    app.add_url_rule("/livez", "livez", lambda: Response("ok\n", mimetype="text/plain"))
    app.add_url_rule("/readyz", "readyz", lambda: _readyz(services))
    app.add_url_rule("/metrics", "metrics", lambda: _metrics(services))
    # known here for their wrong methods; a POST that comes here is to what Flask takes for the same path (`//mutate`)
    for path in ("/mutate", "/validate"):
        app.add_url_rule(
            path,
            path[1:],
            lambda: abort(404),
            methods=["POST"],
            provide_automatic_options=False,
        )
    app.register_error_handler(HTTPException, _http_error)
    return app


def _readyz(services: Services) -> Response:
    code, body = render(services.conditions())
    return Response(body, status=code, mimetype=JSON)


def _metrics(services: Services) -> Response:
    services.show_state()
    # the version parameter tells Prometheus which text format this is
    return Response(services.metrics.render(), content_type="text/plain; version=0.0.4")


def _http_error(error: HTTPException) -> Response:
    """Answer 404, 405 and the like in the one form that errors have here."""
    code = error.code or 500
    message = _HINTS.get(code) or error.description or error.name
    response = Response(render_status(code, message), status=code, mimetype=JSON)
    response.headers.extend(h for h in error.get_headers() if h[0] == "Allow")
    return response


_HINTS = {
    404: "there is nothing here: POST AdmissionReviews to /mutate or /validate",
    405: "wrong method: POST AdmissionReviews to /mutate or /validate, GET the rest",
}
