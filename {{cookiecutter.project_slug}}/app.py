"""The Flask application, yours to change: add routes, take pages away, override templates."""

from model_service import ModelService, api, docs, pages

app = ModelService(__name__, model="model")  # refuses a wrong model file, library or Python
app.register_blueprint(api.bp)  # POST /predict, GET /features, /metadata, /health, /ready, …
app.register_blueprint(pages.bp)  # GET / the form, /model the model card; without the line: none
app.register_blueprint(docs.bp)  # GET /docs
