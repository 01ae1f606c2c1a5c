"""The API as an OpenAPI 3.1 document, made from the contract."""

from __future__ import annotations

from typing import Any

from model_service.contract.contract import TYPES, Contract, Feature, json_text
from model_service.contract.parsing import INTEGER_LIMIT
from model_service.contract.snippets import csv_text
from model_service.model.manifest import Manifest

_JSON_TYPES = {
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
    "text": "string",
    "date": "string",
}


def document(
    contract: Contract, manifest: Manifest, *, keys: bool = False, limited: bool = False
) -> dict[str, Any]:
    """Return the document. Its request examples are rows that the model is known to take."""
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": manifest.about.title,
            "description": manifest.about.description,
            "version": str(manifest.about.version),
        },
        "tags": [{"name": "Predict"}, {"name": "About the model"}, {"name": "Operate"}],
        "paths": {
            "/predict": {"post": _predict(manifest)},
            "/features": {
                "get": _get("features", "About the model", "The contract", _ref("Contract"))
            },
            "/metadata": {
                "get": _get(
                    "metadata", "About the model", "What is known about the model", _ref("Metadata")
                )
            },
            "/health": {"get": _get("health", "Operate", "The process lives", _status("ok"))},
            "/ready": {
                "get": _get(
                    "ready",
                    "Operate",
                    "The model reproduces its recorded predictions",
                    _status("ready"),
                    {"503": _problem("The model is not ready; the detail says why")},
                )
            },
            "/metrics": {
                "get": _get(
                    "metrics",
                    "Operate",
                    "Counts for Prometheus: requests, rows, predictions",
                    {"type": "string"},
                    kind="text/plain",
                )
            },
        },
        "components": {"schemas": _schemas(contract, manifest)},
    }
    about = [operation for path in made["paths"].values() for operation in path.values()]
    guarded = [operation for operation in about if operation["tags"] != ["Operate"]]
    for operation in guarded if limited else ():
        operation["responses"]["429"] = _problem("Too many requests; Retry-After says how long")
    for operation in guarded if keys else ():
        operation["security"] = [{"key": []}]
        operation["responses"]["401"] = _problem("An API key is needed")
    if keys:
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return made


def _predict(manifest: Manifest) -> dict[str, Any]:
    rows = [manifest.example(), manifest.example(1)]
    return {
        "operationId": "predict",
        "tags": ["Predict"],
        "summary": "Predict one row, a batch under rows, or a CSV",
        "parameters": [
            {
                "name": "on_error",
                "in": "query",
                "description": "Of a CSV with bad rows: refuse all of it, or keep the bad rows "
                "without a prediction and say in a column error what is wrong with each.",
                "schema": {"type": "string", "enum": ["refuse", "keep"], "default": "refuse"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": [_ref("Row"), _ref("Rows")]},
                    "examples": {"row": {"value": rows[0]}, "rows": {"value": {"rows": rows}}},
                },
                "text/csv": {
                    "schema": {
                        "type": "string",
                        "description": "UTF-8: a header with all features, in any order, then the "
                        "rows; other columns are passed through.",
                    },
                    "example": csv_text(rows),
                },
            },
        },
        "responses": {
            "200": {
                "description": "The prediction, or the predictions in the order of the rows",
                "content": {
                    "application/json": {"schema": {"anyOf": [_ref("Answer"), _ref("Answers")]}},
                    "text/csv": {
                        "schema": {
                            "type": "string",
                            "description": "The columns of the request, then those of the answer.",
                        }
                    },
                },
            },
            "400": _problem("The body is neither JSON nor a CSV in UTF-8"),
            "413": _problem("The body or the number of rows is too large"),
            "415": _problem("The body is of another type, or encoded"),
            "422": _problem("The rows do not fit the model; all problems are listed"),
            "503": _problem("The model is not ready"),
        },
    }


def _schemas(contract: Contract, manifest: Manifest) -> dict[str, Any]:
    text, prediction = {"type": "string"}, _prediction(contract, manifest)
    return {
        "Row": row_schema(contract),
        "Rows": _object({"rows": {"type": "array", "items": _ref("Row"), "minItems": 1}}),
        "Prediction": _object(prediction, optional=("label",)),
        "Answer": _object({**prediction, "model": _ref("Model")}, optional=("label",)),
        "Answers": _object(
            {
                "predictions": {"type": "array", "items": _ref("Prediction")},
                "model": _ref("Model"),
            }
        ),
        "Model": _object({"name": text, "version": {"type": "integer", "minimum": 1}}),
        "Contract": _object(
            {
                "features": {
                    "type": "array",
                    "items": _object(
                        {"name": text, "type": {"enum": [*TYPES]}, "nullable": {"type": "boolean"}},
                        closed=False,
                    ),
                },
                "output": _object({"name": text}, closed=False),
            },
            closed=False,
        ),
        "Metadata": _object(
            {
                "name": text,
                "version": {"type": "integer", "minimum": 1},
                "task": {"const": manifest.task.kind},
                "classes": {"type": ["array", "null"]},
                "python": text,
                "libraries": {
                    "type": "object",
                    "additionalProperties": {"type": ["string", "null"]},
                },
                "model": _object({"file": text, "sha256": text}, closed=False),
                "verified": {"type": "boolean"},
            },
            closed=False,
        ),
        "Problem": _object(
            {
                "type": text,
                "title": text,
                "status": {"type": "integer"},
                "detail": text,
                "errors": {
                    "type": "array",
                    "items": _object(
                        {
                            "row": {
                                "type": ["integer", "null"],
                                "minimum": 1,
                                "description": "null: the CSV as a whole.",
                            },
                            "line": {
                                "type": "integer",
                                "minimum": 1,
                                "description": "Of a CSV: where the row is.",
                            },
                            "feature": {"type": ["string", "null"]},
                            "message": text,
                        },
                        optional=("line",),
                    ),
                },
            }
        ),
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
    if feature.type == "integer":
        schema |= {"exclusiveMinimum": -INTEGER_LIMIT, "exclusiveMaximum": INTEGER_LIMIT}
    if feature.type == "date":
        schema["format"] = "date"
    elif feature.max_characters is not None and not feature.closed and _type(feature) == "string":
        schema["maxLength"] = feature.max_characters
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
    output, share = contract.output, {"type": ["number", "null"], "minimum": 0, "maximum": 1}
    prediction: dict[str, Any] = {"prediction": _value(manifest)}
    if output.labels:
        prediction["label"] = {"enum": list(dict.fromkeys(output.labels.values()))}
    if manifest.task.probabilities:
        prediction["probabilities"] = {"type": "object", "additionalProperties": share}
    if output.targets is not None:
        return {
            key: _object(
                dict.fromkeys(output.targets, schema), optional=output.targets * (key == "label")
            )
            for key, schema in prediction.items()
        }
    if manifest.task.probabilities and manifest.task.classes:
        by_class = {json_text(name): share for name in manifest.task.classes}
        prediction["probabilities"] = _object(by_class)
    return prediction


def _value(manifest: Manifest) -> dict[str, Any]:
    if manifest.task.classes:
        return {"enum": manifest.task.classes}
    if manifest.task.kind == "outlier":
        return {"enum": [1, -1]}
    if manifest.task.kind == "classification":
        return {"type": ["string", "number", "boolean", "null"]}
    return {"type": ["number", "null"]}


def _object(
    properties: dict[str, Any], optional: tuple[str, ...] = (), *, closed: bool = True
) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        **({"additionalProperties": False} if closed else {}),
    }


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _status(status: str) -> dict[str, Any]:
    return _object({"status": {"const": status}})


def _problem(description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {"description": description, "content": content}


def _get(
    operation: str,
    tag: str,
    summary: str,
    answer: dict[str, Any],
    errors: dict[str, Any] | None = None,
    kind: str = "application/json",
) -> dict[str, Any]:
    content = {kind: {"schema": answer}}
    return {
        "operationId": operation,
        "tags": [tag],
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}, **(errors or {})},
    }
