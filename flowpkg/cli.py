"""The command line: four steps of the workflow, and a trained model on new data."""

from __future__ import annotations

import argparse
import json
import os
import sys

from flowpkg import __version__
from flowpkg.errors import SettingsError, UserError


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="flowpkg",
        description="Normalizing flows with exact likelihoods: the steps of the workflow, and trained models on new data.",
    )
    parser.add_argument("--version", action="version", version=f"flowpkg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")

    def with_settings(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--settings", required=True, metavar="FILE", help="settings of the run: a JSON or YAML file, or JSON text"
        )

    def with_threads(command: argparse.ArgumentParser) -> None:
        command.add_argument(
            "--threads",
            type=int,
            default=0,
            metavar="N",
            help="threads of one operation (default: TensorFlow's choice)",
        )
        command.add_argument(
            "--gpus", type=int, metavar="N", help="GPUs to expect; 0 uses none (default: those that there are)"
        )

    def with_new_data(command: argparse.ArgumentParser) -> None:
        command.add_argument("--data", metavar="FILE", help="CSV, Parquet or NPZ file, for a model of a table")
        command.add_argument("--images", metavar="DIR", help="folder, file or s3:// prefix, for a model of images")

    command = add("prepare", "simulate or read the data of a run")
    with_settings(command)
    command.add_argument("--out", required=True, metavar="DIR", help="folder for the data")
    command.add_argument(
        "--shards", nargs="+", metavar="FILE", help="files of flowpkg simulate, in order (default: simulate here)"
    )

    command = add("simulate", "simulate one shard of the data of a run")
    with_settings(command)
    command.add_argument("--shard", type=int, required=True, metavar="I", help="which shard, from 1 to K")
    command.add_argument("--shards", type=int, required=True, metavar="K", help="number of shards")
    command.add_argument("--out", required=True, metavar="FILE", help="file for the shard, kept if it is intact")

    command = add("fetch", "download an archive of data, check its SHA-256 and unpack it")
    command.add_argument("--url", required=True, metavar="URL", help="address of a ZIP or TAR archive")
    command.add_argument("--sha256", required=True, metavar="HEX", help="SHA-256 of the archive")
    command.add_argument("--out", required=True, metavar="DIR", help="folder to unpack into")
    command.add_argument(
        "--max-gb", type=float, default=50.0, metavar="GB", help="most gigabytes, packed and unpacked (default: 50)"
    )

    command = add("train", "fit a flow to prepared data")
    with_settings(command)
    command.add_argument("--data", required=True, metavar="DIR", help="folder of flowpkg prepare")
    command.add_argument("--out", required=True, metavar="DIR", help="folder for the model")
    command.add_argument("--checkpoints", metavar="DIR", help="folder for checkpoints, resumed from if it fits")
    with_threads(command)

    command = add("evaluate", "measure a trained flow on held-out data")
    with_settings(command)
    command.add_argument("--data", required=True, metavar="DIR", help="folder of flowpkg prepare")
    command.add_argument("--model", required=True, metavar="DIR", help="folder of flowpkg train")
    command.add_argument("--out", required=True, metavar="DIR", help="folder for metrics and arrays")
    command.add_argument("--reference", metavar="DIR", help="folder of flowpkg reference, where there is one")
    with_threads(command)

    command = add("reference", "draw reference posteriors by Markov chain Monte Carlo")
    with_settings(command)
    command.add_argument("--data", required=True, metavar="DIR", help="folder of flowpkg prepare")
    command.add_argument("--out", required=True, metavar="DIR", help="folder for samples and report")
    command.add_argument("--cache", metavar="DIR", help="folder of references kept by their content")
    with_threads(command)

    command = add("draw", "draw one figure from an evaluation")
    with_settings(command)
    command.add_argument("--figure", required=True, metavar="NAME", help="name of the figure")
    command.add_argument("--evaluation", required=True, metavar="DIR", help="folder of flowpkg evaluate")
    command.add_argument("--model", required=True, metavar="DIR", help="folder of flowpkg train")
    command.add_argument("--style", metavar="FILE", help="Matplotlib style sheet")
    command.add_argument("--out", required=True, nargs="+", metavar="FILE", help="PNG or PDF files")

    command = add("collect", "gather the metrics of several runs in one table")
    command.add_argument("--evaluations", required=True, nargs="+", metavar="DIR", help="folders of flowpkg evaluate")
    command.add_argument("--out", required=True, metavar="FILE", help="CSV or Parquet file")
    command.add_argument("--html", metavar="FILE", help="also tables for reading")
    command.add_argument(
        "--benchmarks", nargs="+", metavar="FILE", help="Snakemake's benchmark files, for the seconds of each step"
    )
    command.add_argument("--timings", metavar="FILE", help="CSV or Parquet file for these seconds")

    command = add("compare", "set the metrics of several runs side by side")
    command.add_argument("--columns", required=True, metavar="JSON", help="list of {metric, label, goal, best}")
    command.add_argument("--evaluations", required=True, nargs="+", metavar="DIR", help="folders of flowpkg evaluate")
    command.add_argument("--style", metavar="FILE", help="Matplotlib style sheet")
    command.add_argument("--out", required=True, nargs="+", metavar="FILE", help="CSV, Parquet, PNG or PDF files")

    command = add("posterior", "draw posterior samples for observations")
    command.add_argument("--model", required=True, metavar="DIR", help="folder of flowpkg train")
    command.add_argument(
        "--observe", required=True, metavar="FILE", help="CSV, Parquet or NPZ file, one observation a row"
    )
    command.add_argument("-n", type=int, default=1000, metavar="N", help="samples for each observation (default: 1000)")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default: 0)")
    command.add_argument("--out", required=True, metavar="FILE", help="CSV, Parquet or NPZ file for the samples")
    command.add_argument(
        "--summary", metavar="FILE", help="table of means, deviations and quantiles (default: beside OUT)"
    )
    command.add_argument(
        "--simulator", metavar="FILE", help="your simulator's Python file: also simulate each sample, and compare"
    )

    command = add("classify", "class probabilities of each row of a table, or of each image of a folder")
    command.add_argument("--model", required=True, metavar="DIR", help="folder of flowpkg train")
    with_new_data(command)
    command.add_argument(
        "--priors", type=float, nargs="+", metavar="P", help="class priors (default: those of training)"
    )
    command.add_argument(
        "--percentile",
        type=float,
        default=0.1,
        metavar="P",
        help="flag rows less likely than this percentile of training rows (default: 0.1)",
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default: 0)")
    command.add_argument("--out", required=True, metavar="FILE", help="CSV, Parquet or NPZ file")

    command = add("sample", "draw samples from a trained model")
    command.add_argument("--model", required=True, metavar="DIR", help="folder of flowpkg train")
    command.add_argument("-n", type=int, default=1000, metavar="N", help="number of samples (default: 1000)")
    command.add_argument(
        "--temperature", type=float, default=1.0, metavar="T", help="scale of the latents (default: 1)"
    )
    command.add_argument("--label", type=int, metavar="K", help="class to sample from, for a model with labels")
    command.add_argument(
        "--pca", action="store_true", default=None, help="images: PCA sampling of the latents, as in the articles"
    )
    command.add_argument("--components", type=int, metavar="K", help="principal components with --pca (default: 200)")
    command.add_argument(
        "--covariance-scale", type=float, metavar="S", help="factor of their covariance with --pca (default: 0.25)"
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (default: 0)")
    command.add_argument(
        "--out",
        required=True,
        metavar="PATH",
        help="CSV, Parquet or NPZ file; images: a folder for PNG files, or a .png or .npz file",
    )

    command = add("score", "score each row of a table or each image of a folder: log-density, percentile, anomaly flag")
    command.add_argument("--model", required=True, metavar="DIR", help="folder of flowpkg train")
    with_new_data(command)
    command.add_argument(
        "--percentile",
        type=float,
        default=1.0,
        metavar="P",
        help="flag rows below this training percentile; images: share of normal images to flag (default: 1)",
    )
    command.add_argument(
        "--score",
        metavar="NAME",
        help="images: nll, typicality, latent, complexity or combined, behind percentile and flag (default: combined)",
    )
    command.add_argument(
        "--sheet", metavar="FILE", help="images: PNG of the most anomalous (default: OUT_most_anomalous.png)"
    )
    command.add_argument("--out", required=True, metavar="FILE", help="CSV, Parquet or NPZ file")

    command = add("info", "describe a trained model and check that its files are intact")
    command.add_argument("--model", required=True, metavar="DIR", help="folder of flowpkg train")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Carry out one parsed command; each imports only what it needs."""
    options = {key: value for key, value in vars(arguments).items() if key != "command" and value is not None}
    if "settings" in options:
        from flowpkg.settings import load_settings

        options["settings"] = load_settings(options["settings"])
    if arguments.command == "prepare":
        from flowpkg.commands.prepare import prepare as function
    elif arguments.command == "fetch":
        from flowpkg.commands.fetch import fetch as function
    elif arguments.command == "simulate":
        from flowpkg.commands.simulate import simulate as function
    elif arguments.command == "train":
        from flowpkg.commands.train import train as function

        options.setdefault("checkpoints", None)
    elif arguments.command == "evaluate":
        from flowpkg.commands.evaluate import evaluate as function
    elif arguments.command == "reference":
        from flowpkg.commands.reference import reference as function
    elif arguments.command == "draw":
        from flowpkg.commands.draw import draw as function
    elif arguments.command == "collect":
        from flowpkg.commands.collect import collect as function
    elif arguments.command == "compare":
        from flowpkg.commands.compare import compare as function

        try:
            options["columns"] = json.loads(options["columns"])
        except json.JSONDecodeError as error:
            raise SettingsError(f"--columns: expected JSON; got {error}") from None
    elif arguments.command == "posterior":
        from flowpkg.commands.apply import posterior as function
    elif arguments.command == "classify":
        from flowpkg.commands.apply import classify as function
    elif arguments.command == "sample":
        from flowpkg.commands.apply import sample as function
    elif arguments.command == "score":
        from flowpkg.commands.apply import score as function
    else:
        from flowpkg.commands.apply import info

        print(info(arguments.model))
        return
    function(**options)


def main(argv: list[str] | None = None) -> int:
    """Parse and run; a user's mistake is one line on standard error and exit code 2."""
    arguments = build_parser().parse_args(argv)
    try:
        run(arguments)
    except UserError as error:
        print(f"flowpkg {arguments.command}: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(
            f"flowpkg {arguments.command}: error: {error.filename or 'file system'}: {error.strerror}", file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:
        print(f"flowpkg {arguments.command}: interrupted", file=sys.stderr)
        return 130
    return 0
