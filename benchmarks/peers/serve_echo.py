"""The upper limit: a Flask application that returns the request's body."""

from flask import Flask, Response, request

app = Flask(__name__)
# So that the service's worker (src/model_service/server/worker.py) uses its fast lane here, too.
app.answers_inline = lambda _environ, _body: True  # type: ignore[attr-defined]


@app.post("/predict")
def predict() -> Response:
    print("level=info method=POST path=/predict status=200", flush=True)  # the service logs, too
    return Response(request.get_data(cache=False), mimetype="application/json")
