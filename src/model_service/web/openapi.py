"""The OpenAPI 3.1 document of the service.

openapi.json holds everything that is the same for each model, as for a service with API keys and a
rate limit. `document` adds the model's schemas and examples, and removes what is not configured.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from model_service.contract.contract import TYPES, Contract, Feature
from model_service.contract.json_values import Row, json_text
from model_service.contract.parsing import INTEGER_LIMIT
from model_service.contract.snippets import csv_text
from model_service.model.manifest import Manifest

JSON_TYPES = {"text": "string", "date": "string"}  # the other types have the same name in JSON


def document(
    contract: Contract,
    manifest: Manifest,
    *,
    keys: bool = False,
    limited: bool = False,
    explains: bool = False,
    jobs: bool = False,
) -> dict[str, Any]:
    """Return the document for one model.

    The request examples are rows that the model is known to predict. `keys`: whether
    callers need an API key; `limited`: whether their requests are rate limited;
    `explains`: whether there are explanations; `jobs`: whether files are scored in the background.
    """
    filled: dict[str, Any] = json.loads(_openapi_json())
    filled["info"] = {
        "title": contract.service.title or manifest.about.title,
        "description": contract.service.description or manifest.about.description,
        "version": str(manifest.about.version),
    }
    rows = [manifest.example(), manifest.example(1)]
    if not explains:
        _remove_explanations(filled)
    if not jobs:
        _remove_jobs(filled)
    _add_examples(filled["paths"], rows)
    _add_schemas(filled["components"]["schemas"], contract, manifest, explains=explains)
    _remove_keys_and_limits(filled, keys=keys, limited=limited)
    return filled


def _add_examples(paths: dict[str, Any], rows: list[Row]) -> None:
    for path in {"/predict", "/explain", "/jobs"} & paths.keys():
        content = paths[path]["post"]["requestBody"]["content"]
        if "application/json" in content:
            content["application/json"]["examples"] = {
                "row": {"value": rows[0]},
                "rows": {"value": {"rows": rows}},
            }
        if "text/csv" in content:
            content["text/csv"]["example"] = csv_text(rows)


def _add_schemas(
    schemas: dict[str, Any], contract: Contract, manifest: Manifest, *, explains: bool
) -> None:
    warnings = {"type": "array", "items": {"$ref": "#/components/schemas/Warning"}}
    prediction = {**_prediction_properties(contract, manifest), "warnings": warnings}
    optional: tuple[str, ...] = ("label", "warnings")
    if explains:
        prediction |= _explanation_properties(contract)
        optional += ("explanation", "reasons")
    model = {"$ref": "#/components/schemas/Model"}
    unused = {"description": "The model drops it: any value, or none, gives the same answer."}
    row = {f.name: feature_schema(f) for f in contract.features}
    row |= dict.fromkeys(contract.unused, unused)
    schemas["Row"] = _object_schema(row, optional=contract.unused)
    schemas["Prediction"] = _object_schema(prediction, optional=optional)
    schemas["Answer"] = _object_schema({**prediction, "model": model}, optional=optional)
    feature = schemas["Contract"]["properties"]["features"]["items"]
    feature["properties"]["type"]["enum"] = [*TYPES]
    schemas["Metadata"]["properties"]["task"]["const"] = manifest.task.kind


def _remove_keys_and_limits(filled: dict[str, Any], *, keys: bool, limited: bool) -> None:
    for operation in (each for path in filled["paths"].values() for each in path.values()):
        if not keys:
            operation.pop("security", None)
            operation["responses"].pop("401", None)
        if not limited:
            operation["responses"].pop("429", None)
    if not keys:
        del filled["components"]["securitySchemes"]


def _remove_explanations(filled: dict[str, Any]) -> None:
    del filled["paths"]["/explain"]
    predict, components = filled["paths"]["/predict"]["post"], filled["components"]
    predict["parameters"] = [each for each in predict["parameters"] if "$ref" not in each]
    del components["parameters"]
    for name in ("Explanation", "Reason"):
        del components["schemas"][name]


def _remove_jobs(filled: dict[str, Any]) -> None:
    for path in [path for path in filled["paths"] if path.startswith("/jobs")]:
        del filled["paths"][path]
    filled["tags"] = [tag for tag in filled["tags"] if tag["name"] != "Jobs"]
    del filled["components"]["schemas"]["Job"], filled["components"]["responses"]


def _explanation_properties(contract: Contract) -> dict[str, Any]:
    """Return the schemas of what stands beside a prediction; several targets have one each."""
    explanation: dict[str, Any] = {"$ref": "#/components/schemas/Explanation"}
    if contract.output.targets is not None:
        explanation = _object_schema(dict.fromkeys(contract.output.targets, explanation))
    reasons = {"type": "array", "items": {"$ref": "#/components/schemas/Reason"}, "maxItems": 4}
    return {"explanation": explanation, "reasons": reasons}


@cache
def _openapi_json() -> str:
    return resources.files("model_service.web").joinpath("openapi.json").read_text("utf-8")


def feature_schema(feature: Feature) -> dict[str, Any]:
    """Return the JSON Schema of one feature, which accepts the values that `parse_value` does."""
    schema: dict[str, Any] = {}
    if feature.categories is not None and feature.closed:
        schema["enum"] = [*feature.categories, *([None] if feature.nullable else [])]
    else:
        schema["type"] = _json_type(feature)
        if feature.nullable:
            schema["type"] = [schema["type"], "null"]
    if feature.type == "integer":
        schema |= {"exclusiveMinimum": -INTEGER_LIMIT, "exclusiveMaximum": INTEGER_LIMIT}
    if feature.type == "date":
        schema["format"] = "date"
    elif (
        feature.max_characters is not None
        and not feature.closed
        and _json_type(feature) == "string"
    ):
        schema["maxLength"] = feature.max_characters
    if feature.strict and feature.minimum is not None:
        schema["minimum"] = feature.minimum
    if feature.strict and feature.maximum is not None:
        schema["maximum"] = feature.maximum
    if description := _feature_description(feature):
        schema["description"] = description
    if feature.default is not None:
        schema["examples"] = [feature.default]
    return schema


def _feature_description(feature: Feature) -> str:
    sentences = [feature.description, f"Unit: {feature.unit}." if feature.unit else ""]
    if feature.categories is not None and not feature.closed:
        sentences.append(f"Usual: {', '.join(map(json_text, feature.categories))}.")
    elif not feature.strict and feature.minimum is not None and feature.maximum is not None:
        sentences.append(f"Usual: {feature.minimum:.15g} to {feature.maximum:.15g}.")
    return " ".join(filter(None, sentences))


def _json_type(feature: Feature) -> str:
    if feature.type != "category":
        return JSON_TYPES.get(feature.type, feature.type)
    return "number" if feature.category_type == "number" else "string"


def _prediction_properties(contract: Contract, manifest: Manifest) -> dict[str, Any]:
    """Return the schema of each member of a prediction; with several targets, of an object each."""
    output = contract.output
    probability = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
    properties: dict[str, Any] = {"prediction": _value_schema(manifest)}
    if output.labels:
        properties["label"] = {"enum": list(dict.fromkeys(output.labels.values()))}
    if manifest.task.probabilities:
        properties["probabilities"] = {"type": "object", "additionalProperties": probability}
    if output.targets is not None:
        return {
            name: _object_schema(
                dict.fromkeys(output.targets, schema),
                optional=output.targets if name == "label" else (),
            )
            for name, schema in properties.items()
        }
    if manifest.task.probabilities and manifest.task.classes:
        by_class = {json_text(name): probability for name in manifest.task.classes}
        properties["probabilities"] = _object_schema(by_class)
    return properties


def _value_schema(manifest: Manifest) -> dict[str, Any]:
    if manifest.task.classes:
        return {"enum": list(manifest.task.classes)}
    if manifest.task.kind == "outlier":
        return {"enum": [1, -1]}
    if manifest.task.kind == "classification":
        return {"type": ["string", "number", "boolean", "null"]}
    return {"type": ["number", "null"]}


def _object_schema(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
