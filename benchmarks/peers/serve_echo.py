"""The upper limit: a Flask application that returns the request's body."""

from flask import Flask, Response, request

app = Flask(__name__)
# So that the service's worker (src/model_service/server/worker.py) uses its fast lane here, too.
app.predicts_inline = True  # type: ignore[attr-defined]


@app.post("/predict")
def predict() -> Response:
    return Response(request.get_data(cache=False), mimetype="application/json")
