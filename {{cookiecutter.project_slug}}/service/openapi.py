"""The API as an OpenAPI 3.1 document, made from the contract."""

from __future__ import annotations

from typing import Any

from service.contract import Contract, Feature, json_text
from service.model import Manifest

_JSON_TYPES = {
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "text": "string",
    "date": "string",
}


def document(contract: Contract, manifest: Manifest) -> dict[str, Any]:
    """Return the document. Its request example is a row that the model is known to take."""
    row = manifest.example()
    about = {"$ref": "#/components/schemas/Model"}
    prediction = _prediction(contract, manifest)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": manifest.title,
            "description": manifest.description,
            "version": str(manifest.version),
        },
        "paths": {
            "/predict": {
                "post": {
                    "operationId": "predict",
                    "summary": "Predict one row, a batch under rows, or a CSV",
                    "parameters": [
                        {
                            "name": "on_error",
                            "in": "query",
                            "description": "Of a CSV: refuse it if any row is bad, or keep bad "
                            "rows with what is wrong in a column error.",
                            "schema": {"enum": ["refuse", "keep"], "default": "refuse"},
                        }
                    ],
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": {
                                    "anyOf": [
                                        {"$ref": "#/components/schemas/Row"},
                                        {"$ref": "#/components/schemas/Rows"},
                                    ]
                                },
                                "examples": {
                                    "row": {"value": row},
                                    "rows": {"value": {"rows": [row, manifest.example(1)]}},
                                },
                            },
                            "text/csv": {
                                "schema": {
                                    "type": "string",
                                    "description": "UTF-8 with a header that names the features, "
                                    "in any order, among other columns.",
                                }
                            },
                        },
                    },
                    "responses": {
                        "200": {
                            "description": "The prediction, or the predictions in the order of the "
                            "rows; of a CSV its own columns and those of the prediction",
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "anyOf": [
                                            {"$ref": "#/components/schemas/Answer"},
                                            {"$ref": "#/components/schemas/Answers"},
                                        ]
                                    }
                                },
                                "text/csv": {"schema": {"type": "string"}},
                            },
                        },
                        "400": _problem("The body is not JSON, or the CSV of another encoding"),
                        "413": _problem("The body or the number of rows is too large"),
                        "415": _problem("The body is of another type"),
                        "422": _problem("The rows do not fit the model; all problems are listed"),
                        "503": _problem("The model is not ready"),
                    },
                }
            },
            "/features": _get("features", "The contract: every feature of a row", {}),
            "/metadata": _get("metadata", "What is known about the model", {}),
            "/health": _get("health", "The process lives", {}),
            "/ready": _get(
                "ready",
                "The model reproduces its recorded predictions",
                {"503": _problem("The model is not ready")},
            ),
        },
        "components": {
            "schemas": {
                "Row": row_schema(contract),
                "Rows": _object(
                    {
                        "rows": {
                            "type": "array",
                            "items": {"$ref": "#/components/schemas/Row"},
                            "minItems": 1,
                        }
                    }
                ),
                "Prediction": _object(prediction, optional=("label",)),
                "Answer": _object({**prediction, "model": about}, optional=("label",)),
                "Answers": _object(
                    {
                        "predictions": {
                            "type": "array",
                            "items": {"$ref": "#/components/schemas/Prediction"},
                        },
                        "model": about,
                    }
                ),
                "Model": _object({"name": {"type": "string"}, "version": {"type": "integer"}}),
                "Problem": _object(
                    {
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "errors": {
                            "type": "array",
                            "items": _object(
                                {
                                    "row": {"type": ["integer", "null"], "minimum": 1},
                                    "line": {"type": "integer", "minimum": 1},
                                    "feature": {"type": ["string", "null"]},
                                    "message": {"type": "string"},
                                },
                                optional=("line",),
                            ),
                        },
                    }
                ),
            }
        },
    }


def row_schema(contract: Contract) -> dict[str, Any]:
    """Return the JSON Schema of one row."""
    return _object({feature.name: feature_schema(feature) for feature in contract.features})


def feature_schema(feature: Feature) -> dict[str, Any]:
    """Return the JSON Schema of one feature: it takes just what Feature.parse takes."""
    schema: dict[str, Any] = {}
    if feature.categories is not None and feature.closed:
        schema["enum"] = [*feature.categories, *([None] if feature.nullable else [])]
    else:
        schema["type"] = _type(feature)
        if feature.nullable:
            schema["type"] = [schema["type"], "null"]
    if feature.type == "date":
        schema["format"] = "date"
    if feature.strict and feature.minimum is not None:
        schema["minimum"] = feature.minimum
    if feature.strict and feature.maximum is not None:
        schema["maximum"] = feature.maximum
    hints = [feature.description, f"Unit: {feature.unit}." if feature.unit else ""]
    if feature.categories is not None and not feature.closed:
        hints.append(f"Usual: {', '.join(json_text(c) for c in feature.categories)}.")
    elif not feature.strict and feature.minimum is not None and feature.maximum is not None:
        hints.append(f"Usual: {feature.minimum:.15g} to {feature.maximum:.15g}.")
    if description := " ".join(filter(None, hints)):
        schema["description"] = description
    if feature.default is not None:
        schema["examples"] = [feature.default]
    return schema


def _type(feature: Feature) -> str:
    if feature.type != "category":
        return _JSON_TYPES[feature.type]
    return "number" if feature.category_type == "number" else "string"


def _prediction(contract: Contract, manifest: Manifest) -> dict[str, Any]:
    value: dict[str, Any] = {"type": ["string", "number", "boolean", "null"]}
    if classes := manifest.classes:
        value = {"enum": classes}
    elif manifest.task != "classification":
        value = {"type": ["number", "null"]}
    prediction: dict[str, Any] = {"prediction": value}
    if contract.output.labels:
        prediction["label"] = {"type": "string"}
    if manifest.probabilities:
        prediction["probabilities"] = {
            "type": "object",
            "additionalProperties": {"type": ["number", "null"]},
        }
    if (targets := contract.output.targets) is not None:
        return {
            key: _object(dict.fromkeys(targets, schema), optional=targets * (key == "label"))
            for key, schema in prediction.items()
        }
    return prediction


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
    }


def _get(operation: str, summary: str, errors: dict[str, Any]) -> dict[str, Any]:
    answer = _json(summary, {"type": "object"})
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "responses": {"200": answer, **errors},
        }
    }
