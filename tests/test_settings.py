"""Settings: defaults, errors that name the key, and pages that follow the schemas."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flowpkg.errors import SettingsError
from flowpkg.figures import FIGURES
from flowpkg.problems import PROBLEMS
from flowpkg.settings import load_settings, merge, read_schema, resolve, resolve_config

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
MOONS = {"application": "distribution_mapping", "problem": {"name": "moons"}}


def config(**run):
    return {"runs": {"a": {**MOONS, **run}}}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (config(trainin={}), "config.runs.a: expected only the keys .*; got unknown key trainin"),
        (config(training={"stps": 1}), "config.runs.a.training: .* got unknown key stps"),
        (config(training={"steps": "many"}), "training.steps: expected a value of type integer; got 'many'"),
        (config(training={"steps": 2.0}), "training.steps: expected a value of type integer; got 2.0"),
        (config(training={"steps": True}), "training.steps: expected a value of type integer; got True"),
        (config(training={"learning_rate": 0}), "learning_rate: expected a number > 0; got 0"),
        (config(flow={"coupling": "cubic"}), "flow.coupling: expected one of affine, spline; got 'cubic'"),
        (config(problem={"name": "mons"}), "problem.name: expected one of moons, .*; got 'mons'"),
        (config(problem={"name": "moons", "nois": 1}), "problem: expected only the keys name, noise; got unknown key nois"),
        (config(problem={"name": "table"}), "problem: expected the key path; got none"),
        (config(figures={"density": {"colour": 1}}), "figures.density: .* unknown key colour"),
        ({"runs": {"a/b": MOONS}}, "config.runs: expected names of letters.*got 'a/b'"),
        ({"runs": {"../a": MOONS}}, "got '../a'"),
        ({"runs": {}}, "config.runs: expected at least 1 entry"),
        ({"runs": {"a": {"problem": {"name": "moons"}}}}, "config.runs.a: expected the key application; got none"),
        ({}, "config: expected the key runs; got none"),
        ({"defaults": {"trainin": {}}, "runs": {"a": MOONS}}, "unknown key trainin"),
    ],
)  # fmt: skip
def test_mistakes_are_named_in_one_line(settings, message):
    with pytest.raises(SettingsError, match=message) as caught:
        resolve_config(settings, SCHEMA)
    assert "\n" not in str(caught.value)


def test_defaults_fill_every_level_and_runs_come_before_defaults():
    resolved = resolve_config(
        {"defaults": {"training": {"steps": 7, "l2": 0.5}}, **config(training={"steps": 9})}, SCHEMA
    )["runs"]["a"]
    assert resolved["training"]["steps"] == 9 and resolved["training"]["l2"] == 0.5
    assert resolved["problem"]["noise"] == 0.05 and resolved["figures"]["density"]["dpi"] == 150
    assert resolve(resolved) == resolved


def test_merge_does_not_change_its_arguments():
    base = {"a": {"b": 1}}
    assert merge(base, {"a": {"c": 2}}) == {"a": {"b": 1, "c": 2}} and base == {"a": {"b": 1}}


def test_settings_files(tmp_path):
    with pytest.raises(SettingsError, match="expected a settings file"):
        load_settings(str(tmp_path / "none.yaml"))
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(SettingsError, match="expected JSON or YAML"):
        load_settings(str(tmp_path / "bad.yaml"))
    (tmp_path / "list.yaml").write_text("[1]")
    with pytest.raises(SettingsError, match="expected a mapping of settings; got list"):
        load_settings(str(tmp_path / "list.yaml"))


def test_schema_and_registries_name_the_same_things():
    properties = read_schema(ROOT / "flowpkg/schemas/run.schema.yaml")["properties"]
    assert properties["problem"]["properties"]["name"]["enum"] == list(PROBLEMS)
    assert list(properties["figures"]["properties"]) == list(FIGURES)
    cases = [case["if"]["properties"]["name"]["const"] for case in properties["problem"]["allOf"]]
    assert cases == list(PROBLEMS)


def test_problem_defaults_are_those_of_the_constructors():
    import importlib
    import inspect

    for case in read_schema(ROOT / "flowpkg/schemas/run.schema.yaml")["properties"]["problem"]["allOf"]:
        name = case["if"]["properties"]["name"]["const"]
        module, constructor = PROBLEMS[name].split(":")
        signature = inspect.signature(getattr(importlib.import_module(module), constructor))
        keys = {key: value for key, value in case["then"]["properties"].items() if key != "name"}
        assert set(keys) == set(signature.parameters)
        for key, value in keys.items():
            default = signature.parameters[key].default
            if "default" in value:
                assert value["default"] == (list(default) if isinstance(default, tuple) else default), (name, key)


@pytest.mark.parametrize("name", ["config", "smoke", "article"])
def test_shipped_configs_are_valid(name):
    resolve_config(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()), SCHEMA)


def test_the_config_page_is_up_to_date_and_explains_every_metric(trained):
    import json

    sys.path.insert(0, str(ROOT / "workflow/scripts"))
    from write_config_readme import METRICS, page

    assert (ROOT / "config/README.md").read_text() == page()
    root, _ = trained
    text = " ".join([*METRICS, *METRICS.values()])
    for key in json.loads((root / "evaluation/metrics.json").read_text()):
        assert key in text, key


def test_environment_file_has_the_locked_versions():
    sys.path.insert(0, str(ROOT / "workflow/scripts"))
    from write_environment import environment, pins

    lock = (ROOT / "requirements.lock").read_text()
    assert (ROOT / "environment.yml").read_text() == environment(lock)
    assert lock.count("==") == len(pins(lock)) and "://" not in lock
    locked = dict(pin.split(" ;")[0].split("==") for pin in pins(lock))
    from importlib.metadata import version

    for name in ("tensorflow", "tensorflow-probability", "numpy", "snakemake", "matplotlib", "pandas"):
        assert locked[name] == version(name), name


def test_code_is_linted():
    bin_folder = Path(sys.executable).parent
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["snakefmt", "--check", "workflow"]):
        done = subprocess.run([bin_folder / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
