import json
from itertools import pairwise
from pathlib import Path

from snakemake.exceptions import WorkflowError

from flowpkg.applications import application_module, load_application
from flowpkg.errors import UserError
from flowpkg.figures import PAGES, figure_module
from flowpkg.machine import local_gpus
from flowpkg.problems import problem_module
from flowpkg.settings import resolve_config

SCHEMA = Path(workflow.basedir) / "schemas" / "config.schema.yaml"
try:
    CONFIG = resolve_config(config, SCHEMA)
except UserError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG["results"]
RUNS = CONFIG["runs"]


def archive_of(path):
    """The archive that a path lies in, or None."""
    parts = Path(path).parts
    found = len(parts) > 1 and parts[0] == "resources" and parts[1]
    return found if found in CONFIG["archives"] else None


# Snakemake takes earlier data as good enough when its source is gone, so a wrong path is caught here.
for name, run in RUNS.items():
    for path in run["problem"].get("inputs", []):
        if not Path(path).is_file():
            raise WorkflowError(
                f"config.runs.{name}.problem.inputs: expected files; got no such file: {path}"
            )
    path = run["problem"].get("path", "")
    if not path or path.startswith(("sklearn:", "s3://")) or archive_of(path):
        continue
    if run["problem"]["name"] == "folder" and not Path(path).exists():
        raise WorkflowError(
            f"config.runs.{name}.problem.path: expected a folder of images; got no such folder: {path}"
        )
    if run["problem"]["name"] != "folder" and not Path(path).is_file():
        what = "a Python file" if run["problem"]["name"] == "simulator" else "a table"
        raise WorkflowError(
            f"config.runs.{name}.problem.path: expected {what}; got no such file: {path}"
        )


for name, comparison in CONFIG["comparisons"].items():
    for run in comparison["runs"]:
        if run not in RUNS:
            raise WorkflowError(
                f"config.comparisons.{name}.runs: expected names of runs; got {run}"
            )
    for column in comparison["columns"]:
        column.setdefault("goal", "")
        column.setdefault("best", "low")


wildcard_constraints:
    comparison="[A-Za-z0-9][A-Za-z0-9_-]*",
    run="[A-Za-z0-9][A-Za-z0-9_-]*",
    figure="[a-z_]+",
    shard="[0-9]+",
    shards="[0-9]+",
    archive="[A-Za-z0-9][A-Za-z0-9_-]*",


# Seen here and not asked for where there is none; jobs that are sent elsewhere get theirs from a profile.
LOCAL_GPUS = min(1, local_gpus())


def scaled(amount):
    """A resource that doubles with each attempt: a job killed for its memory or time comes back with more."""

    def of_attempt(wildcards, attempt):
        return amount * 2 ** (attempt - 1)

    return of_attempt


def is_heavy(run):
    """Whether training a run would keep a processor busy for long: images, or 1e14 operations of its networks."""
    flow, training = run["flow"], run["training"]
    products = flow["layers"] * sum(a * b for a, b in pairwise(flow["hidden"]))
    return (
        run["application"].startswith("image_")
        or 6 * training["steps"] * training["batch_size"] * products > 1e14
    )


heavy_runs = [name for name, run in RUNS.items() if is_heavy(run)]


def one_of(names):
    """A pattern that matches these names and, where there are none, nothing."""
    return "|".join(sorted(names)) or "(?!)"


def figures_of(run):
    return load_application(RUNS[run]["application"]).figures(RUNS[run])


every_figure = [
    f"{RESULTS}/{run}/figures/{figure}.{suffix}"
    for run in RUNS
    for figure in figures_of(run)
    for suffix in (("html",) if figure in PAGES else ("png", "pdf"))
]
every_comparison = [
    f"{RESULTS}/comparisons/{name}.{suffix}"
    for name in CONFIG["comparisons"]
    for suffix in ("csv", "png", "pdf")
]
every_benchmark = [
    f"{RESULTS}/{run}/logs/{step}.benchmark.tsv"
    for run in RUNS
    for step in ("prepare_data", "train_model", "evaluate_model")
]
every_model = [f"{RESULTS}/{run}/model/weights.npz" for run in RUNS]


_graph = None


def modules_behind(*roots):
    """Files of the library that some modules rely on, found in its import graph."""
    global _graph
    if _graph is None:
        import grimp

        _graph = grimp.build_graph("flowpkg", cache_dir=None)
    package = Path(sys.modules["flowpkg"].__file__).parent
    names = set(roots).union(*(_graph.find_upstream_modules(root) for root in roots))
    files = []
    for name in sorted(names - {"flowpkg"}):
        path = package.joinpath(*name.split(".")[1:])
        found = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        files.append(os.path.relpath(found))
    # Where results live in a bucket, the library still comes from the working copy.
    return [local(file) for file in files]


def code_of_prepare(wildcards):
    return modules_behind(
        "flowpkg.commands.prepare",
        problem_module(RUNS[wildcards.run]["problem"]["name"]),
    )


def code_of_simulate(wildcards):
    return modules_behind(
        "flowpkg.commands.simulate",
        problem_module(RUNS[wildcards.run]["problem"]["name"]),
    )


def code_of_train(wildcards):
    run = RUNS[wildcards.run]
    return modules_behind(
        "flowpkg.commands.train",
        application_module(run["application"]),
        problem_module(run["problem"]["name"]),
    )


def code_of_evaluate(wildcards):
    run = RUNS[wildcards.run]
    return modules_behind(
        "flowpkg.commands.evaluate",
        application_module(run["application"]),
        problem_module(run["problem"]["name"]),
    )


def has_reference(run):
    """Whether posteriors of a run are compared with ones drawn by Markov chain Monte Carlo."""
    inverse = run["application"] in ("inverse_noise_free", "inverse_noisy")
    return inverse and run["problem"]["name"] != "seismograms_any_noise"


def code_of_reference(wildcards):
    return modules_behind(
        "flowpkg.commands.reference",
        problem_module(RUNS[wildcards.run]["problem"]["name"]),
    )


def reference_settings(wildcards):
    """What a reference posterior depends on: runs that differ in their flow alone share it."""
    run = RUNS[wildcards.run]
    settings = {key: run[key] for key in ("application", "problem", "seed")}
    reference = {"reference": run["evaluation"]["reference"]}
    return json.dumps({**settings, "evaluation": reference}, sort_keys=True)


def reference_files(wildcards):
    """The reference posteriors of a run; none where it is compared with none."""
    folder = f"{RESULTS}/{wildcards.run}/reference"
    if not has_reference(RUNS[wildcards.run]):
        return []
    return [f"{folder}/reference.npz", f"{folder}/report.json"]


def reference_option(wildcards, input):
    if not input.reference:
        return ""
    return f"--reference {os.path.dirname(input.reference[0])}"


def code_of_draw(wildcards):
    return modules_behind("flowpkg.commands.draw", figure_module(wildcards.figure))


def settings_of(*sections):
    """A params function: the sections of a run's settings that a step reads, as JSON text."""

    def text(wildcards):
        # How many jobs share the simulations changes no result.
        data = {
            key: value
            for key, value in RUNS[wildcards.run]["data"].items()
            if key != "shards"
        }
        run = {**RUNS[wildcards.run], "data": data}
        # application and problem are needed to name the run's kind; the rest only where it is read.
        return json.dumps(
            {key: run[key] for key in ("application", "problem", "seed", *sections)},
            sort_keys=True,
        )

    return text


def draw_settings(wildcards):
    run = RUNS[wildcards.run]
    figures = {wildcards.figure: run["figures"][wildcards.figure]}
    return json.dumps(
        {
            "application": run["application"],
            "problem": run["problem"],
            "figures": figures,
        },
        sort_keys=True,
    )


def source_files(wildcards):
    """The user's table or folders of images, so that a change in them re-runs what depends on it."""
    problem = RUNS[wildcards.run]["problem"]
    path = problem.get("path", "")
    if not path or path.startswith(("sklearn:", "s3://")):
        return []
    if archive_of(path):
        return [f"resources/{archive_of(path)}"]
    if problem["name"] == "folder" and Path(path).is_dir():
        # A folder's time tells of files that came and went; files by themselves would be too many.
        return [folder for folder, _, _ in os.walk(path)]
    return [path, *problem.get("inputs", [])]


def shard_files(wildcards):
    """The shards of a run's simulations; none where they are made as the data are prepared."""
    shards = RUNS[wildcards.run]["data"]["shards"]
    folder = f"{RESULTS}/{wildcards.run}/shards"
    return [
        f"{folder}/{shard + 1}-of-{shards}.npz" for shard in range(shards) if shards > 1
    ]


def shards_option(wildcards, input):
    return f"--shards {' '.join(input.shards)}" if input.shards else ""


def archive_key(key):
    """A params function: one key of an archive."""

    def value(wildcards):
        if wildcards.archive not in CONFIG["archives"]:
            raise WorkflowError(
                f"config.archives: expected an archive of that name; got {wildcards.archive}"
            )
        return CONFIG["archives"][wildcards.archive][key]

    return value


def evaluations(wildcards):
    return [f"{RESULTS}/{run}/evaluation/metrics.json" for run in RUNS]


def run_application(wildcards):
    return RUNS[wildcards.run]["application"].replace("_", " ").capitalize()


def compared(wildcards):
    runs = CONFIG["comparisons"][wildcards.comparison]["runs"]
    return [f"{RESULTS}/{run}/evaluation/metrics.json" for run in runs]


def comparison_columns(wildcards):
    return json.dumps(CONFIG["comparisons"][wildcards.comparison]["columns"])
