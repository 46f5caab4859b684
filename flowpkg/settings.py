"""Settings: schemas, defaults, and errors that name the key."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from flowpkg.errors import SettingsError

RUN_SCHEMA = Path(__file__).with_name("schemas") / "run.schema.yaml"


@functools.cache
def read_schema(path: Path) -> dict[str, Any]:
    """Read a JSON schema written in YAML."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _set_defaults(validate_properties):
    def properties(validator, properties, instance, schema):
        if validator.is_type(instance, "object"):
            for name, subschema in properties.items():
                if "$ref" in subschema:
                    subschema = validator._resolver.lookup(subschema["$ref"]).contents
                if "default" in subschema:
                    instance.setdefault(name, copy.deepcopy(subschema["default"]))
        yield from validate_properties(validator, properties, instance, schema)

    return properties


_Base = jsonschema.Draft202012Validator
# Strict whole numbers: JSON schema calls 2.0 an integer, NumPy does not.
_TYPES = _Base.TYPE_CHECKER.redefine("integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool))
_Validator = jsonschema.validators.extend(
    _Base, {"properties": _set_defaults(_Base.VALIDATORS["properties"])}, type_checker=_TYPES
)


def resolve(settings: Mapping[str, Any], schema: Path = RUN_SCHEMA, *, where: str = "settings") -> dict[str, Any]:
    """Check settings against a schema and fill its defaults.

    Args:
        settings: any part of the settings; not changed.
        schema: a schema file; that of a run by default.
        where: what error messages call the whole.

    Returns:
        The complete settings.

    Raises:
        SettingsError: an unknown key, a wrong type or value; one line that names the key.
    """
    # YAML reads 1e-3 as text; through JSON and back the settings are plain data of their own.
    resolved = json.loads(json.dumps(settings, default=str))
    errors = list(_Validator(read_schema(schema)).iter_errors(resolved))
    if errors:
        raise SettingsError(_describe(min(errors, key=lambda error: -len(error.absolute_path)), where))
    return resolved


def _describe(error: jsonschema.ValidationError, where: str) -> str:
    path = ".".join([where, *(str(part) for part in error.absolute_path)])
    value = error.instance
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = [name for name in value if name not in known]
        return f"{path}: expected only the keys {', '.join(known)}; got unknown key {', '.join(unknown)}"
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in value]
        return f"{path}: expected the key {', '.join(missing)}; got none"
    if "propertyNames" in error.absolute_schema_path:
        return f"{path}: expected names of letters, digits, _ and -, starting with a letter or digit; got {value!r}"
    expected = {
        "enum": lambda limit: f"one of {', '.join(map(str, limit))}",
        "type": lambda limit: f"a value of type {limit if isinstance(limit, str) else ' or '.join(limit)}",
        "minimum": lambda limit: f"a number >= {limit}",
        "maximum": lambda limit: f"a number <= {limit}",
        "exclusiveMinimum": lambda limit: f"a number > {limit}",
        "exclusiveMaximum": lambda limit: f"a number < {limit}",
        "minItems": lambda limit: f"at least {limit} items",
        "maxItems": lambda limit: f"at most {limit} items",
        "minProperties": lambda limit: f"at least {limit} entry",
        "minLength": lambda limit: f"text of at least {limit} character",
        "uniqueItems": lambda limit: "items that differ",
    }.get(error.validator, lambda limit: f"{error.validator} {limit}")(error.validator_value)
    return f"{path}: expected {expected}; got {value!r}"


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on top, mappings merged key by key."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def resolve_config(config: Mapping[str, Any], schema: Path, *, where: str = "config") -> dict[str, Any]:
    """Check a whole config file and resolve every run in it, `defaults` laid under each.

    Raises:
        SettingsError: one line that names the run and the key.
    """
    resolved = resolve(config, schema, where=where)
    resolved["runs"] = {
        name: resolve(merge(resolved["defaults"], run), where=f"{where}.runs.{name}")
        for name, run in resolved["runs"].items()
    }
    return resolved


def load_settings(text_or_path: str) -> dict[str, Any]:
    """Read the settings of a run from a JSON or YAML file, or from JSON text, and resolve them.

    Raises:
        SettingsError: no such file, not a mapping, or settings that do not fit the schema.
    """
    if text_or_path.lstrip().startswith("{"):
        text, where = text_or_path, "settings"
    else:
        where = text_or_path
        try:
            text = Path(text_or_path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{text_or_path}: expected a settings file; got {error}") from None
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{where}: expected JSON or YAML; got {' '.join(str(error).split())}") from None
    if not isinstance(settings, dict):
        raise SettingsError(f"{where}: expected a mapping of settings; got {type(settings).__name__}")
    return resolve(settings, where=where)
