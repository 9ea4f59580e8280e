# SPDX-License-Identifier: Apache-2.0
"""Checks a value against deploy/suppression.schema.json: the words of JSON Schema that stand there, no others."""

import json
import os
import re

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy", "suppression.schema.json")
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
NO_RULES = {"$schema", "$id", "$defs", "title", "description"}


def load(path=SCHEMA):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def faults(value, schema, root=None, path="value"):
    """Lines that name each place where the value is not as the schema says."""
    root = root or schema
    lines = []
    for word, rule in schema.items():
        if word not in NO_RULES:
            lines += RULES[word](value, rule, schema, root, path)
    return lines


def has_type(value, name):
    return isinstance(value, TYPES[name]) and not (name == "integer" and isinstance(value, bool))


def check_type(value, rule, _schema, _root, path):
    names = rule if isinstance(rule, list) else [rule]
    return [] if any(has_type(value, name) for name in names) else [f"{path}: {value!r} is no {' or '.join(names)}"]


def check_required(value, rule, _schema, _root, path):
    missing = [name for name in rule if isinstance(value, dict) and name not in value]
    return [f"{path}: has no {name}" for name in missing]


def check_properties(value, rule, _schema, root, path):
    names = [name for name in rule if isinstance(value, dict) and name in value]
    return [line for name in names for line in faults(value[name], rule[name], root, f"{path}.{name}")]


def check_additional(value, rule, schema, _root, path):
    extra = set(value) - set(schema["properties"]) if isinstance(value, dict) and rule is False else set()
    return [f"{path}: {name} has no place there" for name in sorted(extra)]


def check_items(value, rule, _schema, root, path):
    items = value if isinstance(value, list) else []
    return [line for i, item in enumerate(items) for line in faults(item, rule, root, f"{path}[{i}]")]


def check_ref(value, rule, _schema, root, path):
    return faults(value, root["$defs"][rule.rpartition("/")[2]], root, path)


def check_one_of(value, rule, _schema, root, path):
    ways = [faults(value, way, root, path) for way in rule]
    fitting = sum(not lines for lines in ways)
    return [line for lines in ways for line in lines] if fitting != 1 else []


def check_any_of(value, rule, _schema, root, path):
    ways = [faults(value, way, root, path) for way in rule]
    return min(ways, key=len)


def check_all_of(value, rule, _schema, root, path):
    return [line for way in rule for line in faults(value, way, root, path)]


def check_if(value, rule, schema, root, path):
    branch = schema.get("else", {}) if faults(value, rule, root, path) else schema.get("then", {})
    return faults(value, branch, root, path)


def bound(kind, holds, words):
    def check(value, rule, _schema, _root, path):
        wrong = has_type(value, kind) and not holds(value, rule)
        return [f"{path}: {value!r} {words} {rule}"] if wrong else []

    return check


def always(holds, words):
    def check(value, rule, _schema, _root, path):
        return [] if holds(value, rule) else [f"{path}: {value!r} {words} {rule!r}"]

    return check


def never(*_unused):
    return []


RULES = {
    "type": check_type,
    "required": check_required,
    "properties": check_properties,
    "additionalProperties": check_additional,
    "items": check_items,
    "$ref": check_ref,
    "oneOf": check_one_of,
    "anyOf": check_any_of,
    "allOf": check_all_of,
    "if": check_if,
    "then": never,  # check_if looks at them
    "else": never,
    "const": always(lambda value, rule: value == rule, "is not"),
    "enum": always(lambda value, rule: value in rule, "is none of"),
    "minimum": bound("integer", lambda value, rule: value >= rule, "is below"),
    "maximum": bound("integer", lambda value, rule: value <= rule, "is above"),
    "minLength": bound("string", lambda value, rule: len(value) >= rule, "is shorter than"),
    "maxLength": bound("string", lambda value, rule: len(value) <= rule, "is longer than"),
    "pattern": bound("string", lambda value, rule: re.search(rule, value), "does not match"),
    "maxItems": bound("array", lambda value, rule: len(value) <= rule, "has more items than"),
}
