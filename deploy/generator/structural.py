"""A pydantic model's JSON schema as a structural schema, the dialect that a CustomResourceDefinition takes.

Rules of the dialect: every node has a type, null is `nullable` and no type of its own, there are no references, and
`properties` never stand beside `additionalProperties`
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).

Two decisions stand here:

- No `default` is ever written. The API server would fill today's defaults into every stored object, and a better one
  in a later version would reach nobody; and it drops a null where there is a default, while in a NotebookPolicy null
  means "leave it alone". The defaults are the code's.
- A strict model's unknown fields are kept (`x-kubernetes-preserve-unknown-fields`). The API server would drop them
  without a word before anybody is asked, and `registries: {alow: […]}` would allow every registry. Kept, they reach the
  validating webhook, which refuses them by name, and the replicas, which do not follow such a policy.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from deploy.generator.attributes import described
from webhook.core.requirements import DEFAULT_HELP_URL as _PAGE

Schema = dict[str, Any]

# What means the same in both dialects, in the order in which people read it.
_SHARED = (
    "enum",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
)
_KEEPS_UNKNOWN = "x-kubernetes-preserve-unknown-fields"
# What says nothing about documents, or nothing to an API server.
_IGNORED = frozenset({"title", "default", "description", "type", "$defs"})


class NotStructural(ValueError):
    """A model has something that a structural schema cannot say."""


def structural(model: type[BaseModel]) -> Schema:
    """Translate the model of a whole document.

    Its apiVersion, kind and metadata are left to the API server, which alone may say anything of them.

    Raises NotStructural, and Undescribed for a field without a description.
    """
    schema = model.model_json_schema(by_alias=True, mode="validation")
    properties = schema["properties"]
    own = {name: {"type": "string"} for name in ("apiVersion", "kind")}
    schema["properties"] = {**properties, **own, "metadata": {"type": "object"}}
    schema["required"] = [name for name in schema["required"] if name == "spec"]
    made = _node(schema, schema["$defs"])
    del made["properties"]["metadata"]["description"]  # not even that may be said
    # What is unknown here is refused by every tool, and with this `kubectl explain` could not even say what is known.
    made.pop(_KEEPS_UNKNOWN, None)
    return made


def _node(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    node = _resolved(node, definitions)
    if "anyOf" in node:
        return _nullable(node, definitions)
    match node.get("type"):
        case "object":
            return _object(node, definitions)
        case "array":
            items = {"items": _node(node["items"], definitions)}
            return {"type": "array", **items, **_shared(node, "items")}
        case "integer":
            return {"type": "integer", "format": "int64", **_shared(node)}
        case "string":
            return _text(node)
        case "boolean":
            return {"type": "boolean", **_shared(node)}
    raise NotStructural(f"no type is known for {node}")


def _resolved(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if "$ref" not in node:
        return node
    return definitions[node["$ref"].rpartition("/")[2]]


def _nullable(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    kinds = [kind for kind in node["anyOf"] if kind != {"type": "null"}]
    if len(kinds) != 1 or len(node["anyOf"]) != 2:
        raise NotStructural(f"only a type or null can be said, not {node['anyOf']}")
    made = _node(kinds[0], definitions)
    if "enum" in made:
        # The API server holds a null against the enum too, and kubectl takes no definition with a null in one
        # (seen in 1.20). A pattern is asked of texts alone.
        made["pattern"] = f"^({'|'.join(made.pop('enum'))})$"
    return {**made, "nullable": True}


def _text(node: Schema) -> Schema:
    """Write a text; as nullable where it may be empty.

    An API server of the time of 1.20 that was built with Go 1.18 or newer, as on Debian, takes an empty text for null.
    """
    made = {"type": "string", **_shared(node)}
    empty = (
        not made.get("minLength")
        and re.search(made.get("pattern", ""), "")
        and "" in made.get("enum", [""])
        and "format" not in made
    )
    return {**made, "nullable": True} if empty else made


def _object(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if "propertyNames" in node:
        return _mapping(node, definitions)
    if "properties" not in node:
        return {"type": "object"}
    summary, attributes = described(node)
    properties = {
        name: _explained(_node(field, definitions), attributes[name])
        for name, field in node["properties"].items()
    }
    made: Schema = {"description": summary, "type": "object", "properties": properties}
    if node.get("required"):
        made["required"] = node["required"]
    if node.get("additionalProperties") is False:
        made[_KEEPS_UNKNOWN] = True
    return made


def _explained(node: Schema, text: str) -> Schema:
    # what a field is for says more than what its type is in general
    return {"description": text, **{key: node[key] for key in node if key != "description"}}


def _mapping(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Write a mapping whose keys are known as an object, so that each key can be completed and explained."""
    value = _node(node["additionalProperties"], definitions)
    names = node["propertyNames"]["enum"]
    return {
        "type": "object",
        "properties": {name: {"description": f"See {_PAGE}#{name}.", **value} for name in names},
        _KEEPS_UNKNOWN: True,
    }


def _shared(node: Schema, *more: str) -> Schema:
    unknown = node.keys() - _IGNORED - set(_SHARED) - set(more)
    if unknown:
        raise NotStructural(f"{', '.join(sorted(unknown))} in {node}")
    return {key: node[key] for key in _SHARED if key in node}
