"""The real workflow, small: every step, what re-runs when, bad input, the report."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def snakemake(config, *arguments, ok=True):
    command = ["snakemake", "--cores", "2", "--configfile", str(config), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=1500)
    text = done.stdout + done.stderr
    assert (done.returncode == 0) == ok, text[-3000:]
    return text


def planned(config, *arguments):
    """Return the jobs that a dry run would do, as rule names with their counts."""
    text = snakemake(config, "--dry-run", *arguments)
    if "Nothing to be done" in text:
        return {}
    lines = text.split("Job stats:")[-1].splitlines()
    rows = [line.split() for line in lines if len(line.split()) == 2 and line.split()[1].isdigit()]
    return {name: int(count) for name, count in rows if name not in ("all", "total")}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A copy of the smoke config with results of its own, run once."""
    folder = tmp_path_factory.mktemp("smoke")
    config = yaml.safe_load((ROOT / "config/smoke.yaml").read_text())
    config["results"] = str(folder / "results")
    config["style"] = str(folder / "style.mplstyle")
    (folder / "style.mplstyle").write_text((ROOT / "flowpkg/figures/style.mplstyle").read_text())
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    snakemake(path)
    snakemake(path, "--report", str(folder / "report.html"))
    return path, config, folder


def changed(smoke, **keys):
    path, config, folder = smoke
    other = yaml.safe_load(yaml.safe_dump(config))
    for dotted, value in keys.items():
        *parents, last = dotted.split("__")
        place = other
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    (folder / "changed.yaml").write_text(yaml.safe_dump(other))
    return folder / "changed.yaml"


def test_every_output_is_there_and_a_second_call_does_nothing(smoke):
    path, _, folder = smoke
    results = folder / "results"
    for run, figures in (
        ("moons", 7),
        ("breast_cancer", 4),
        ("faces", 10),
        ("digit_classes", 9),
        ("modes", 6),
        ("arm", 8),
        ("certificate_conditional", 6),
        ("glacier_conditional", 10),
        ("seismograms", 11),
    ):
        assert len(list((results / run / "figures").glob("*.png"))) == figures
        assert len(list((results / run / "figures").glob("*.pdf"))) == figures
        assert (results / run / "evaluation/metrics.json").exists() and (results / run / "model/weights.npz").exists()
    assert (results / "arm/figures/arm_explorer.html").exists() and (results / "comparisons/arm.png").exists()
    assert len(list((results / "references").iterdir())) == 2
    assert "kl_nats" in (results / "summary.csv").read_text()
    assert planned(path) == {}


def test_the_report_is_one_offline_file_with_captions(smoke):
    text = (smoke[2] / "report.html").read_text()
    assert "Held-out points" in text and "Distribution mapping" in text and len(text) > 500_000


def test_a_figure_option_redraws_that_figure_only(smoke):
    assert planned(changed(smoke, runs__moons__figures={"density": {"dpi": 100}})) == {"draw_figure": 1}


def test_training_of_one_run_reruns_that_run_only(smoke):
    jobs = planned(changed(smoke, runs__moons__training={"learning_rate": 0.003}))
    assert jobs["train_model"] == 1 and jobs["evaluate_model"] == 1 and jobs["draw_figure"] == 7


@contextmanager
def edited(path, line):
    """Add a line to a file for a while. A new time alone re-runs nothing: Snakemake compares small files by content."""
    before = path.read_bytes()
    path.write_bytes(before + line.encode())
    try:
        yield
    finally:
        path.write_bytes(before)


def test_a_style_change_redraws_all_figures_and_trains_nothing(smoke):
    path, _, folder = smoke
    with edited(folder / "style.mplstyle", "lines.markersize: 5\n"):
        assert planned(path) == {"draw_figure": 79, "compare_runs": 1}


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("figures/density.py", {"draw_figure"}),
        ("problems/moons.py", {"prepare_data", "train_model", "evaluate_model", "draw_figure", "collect_metrics"}),
        ("commands/apply.py", set()),
    ],
)
def test_editing_a_module_reruns_what_depends_on_it(smoke, module, expected):
    with edited(ROOT / "flowpkg" / module, "\n\n# A line that a test adds and takes away.\n"):
        jobs = planned(smoke[0])
    assert set(jobs) == expected
    if module == "figures/density.py":
        assert jobs == {"draw_figure": 1}
    if module == "problems/moons.py":
        assert jobs["train_model"] == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"runs__moons__trainin": {}}, "config.runs.moons: expected only the keys"),
        ({"runs__moons__problem": {"name": "mons"}}, "config.runs.moons.problem.name: expected one of moons"),
        ({"runs": {"a b": {}}}, "config.runs: expected names of letters"),
        (
            {"comparisons__arm__runs": ["arm", "nobody"]},
            "config.comparisons.arm.runs: expected names of runs; got nobody",
        ),
        ({"runs__moons__problem": {"name": "table", "path": "no/such.csv"}}, "no/such.csv"),
    ],
    ids=["unknown key", "unknown problem", "run name", "unknown run", "missing table"],
)
def test_bad_configs_stop_before_anything_is_touched(smoke, keys, message):
    weights = smoke[2] / "results/moons/model/weights.npz"
    before = weights.stat().st_mtime_ns
    assert message in snakemake(changed(smoke, **keys), ok=False)
    assert weights.stat().st_mtime_ns == before


def test_a_bad_table_leaves_earlier_data_in_place(smoke, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n,4\n")
    path = changed(smoke, runs__moons__problem={"name": "table", "path": str(tmp_path / "t.csv")})
    text = snakemake(path, ok=False)
    assert "flowpkg prepare: error:" in text and "NaN or infinity in 1 of 2 rows: 2" in text
    for name in ("data/train_x.npy", "model/weights.npz", "evaluation/metrics.json"):
        assert (smoke[2] / "results/moons" / name).exists(), name


@pytest.mark.parametrize("name", ["config", "smoke", "article"])
def test_dry_run_of_every_shipped_config(name, tmp_path):
    config = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    config["results"] = str(tmp_path / "results")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    jobs = planned(tmp_path / "c.yaml")
    assert jobs.get("train_model", 0) + jobs.get("train_heavy_model", 0) == len(config["runs"])


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_dry_run_of_a_profile(profile, tmp_path):
    config = yaml.safe_load((ROOT / "config/smoke.yaml").read_text())
    config["runs"] = {
        "moons": config["runs"]["moons"],
        "large": config["runs"]["moons"] | {"flow": {"hidden": [2048] * 8}},
    }
    config["runs"]["large"] = config["runs"]["large"] | {"training": {"steps": 10000}}
    config["comparisons"] = {}
    config["results"] = "results/dry-run"
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    options = ["--workflow-profile", f"workflow/profiles/{profile}"]
    text = snakemake(tmp_path / "c.yaml", "--dry-run", *options)
    # The heavy training, and nothing else, goes where the GPUs are.
    heavy = text.split("rule train_heavy_model:")[1].split("rule ")[0]
    light = text.split("rule train_model:")[1].split("rule ")[0]
    if profile == "default":
        assert "slurm_partition" not in text
    if profile == "slurm":
        assert "gpu=1" in heavy and "gpu=0" in light
        assert "slurm_partition=gpu" in heavy and "slurm_partition=cpu" in light


def test_lint(smoke):
    snakemake(smoke[0], "--lint")
