rule collect_metrics:
    input:
        metrics=evaluations,
        benchmarks=every_benchmark,
        code=modules_behind("flowpkg.commands.collect"),
    output:
        table=f"{RESULTS}/summary.csv",
        timings=f"{RESULTS}/timings.csv",
        page=report(
            f"{RESULTS}/summary.html",
            caption="../report/summary.rst",
            category="Summary",
        ),
    log:
        f"{RESULTS}/logs/collect_metrics.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(10),
    params:
        folders=lambda wildcards, input: [
            os.path.dirname(path) for path in input.metrics
        ],
    shell:
        "python -m flowpkg collect --evaluations {params.folders} --out {output.table} --html {output.page} "
        "--benchmarks {input.benchmarks} --timings {output.timings} > {log} 2>&1"


rule compare_runs:
    input:
        metrics=compared,
        style=local(CONFIG["style"]),
        code=modules_behind("flowpkg.commands.compare"),
    output:
        table=f"{RESULTS}/comparisons/{{comparison}}.csv",
        png=report(
            f"{RESULTS}/comparisons/{{comparison}}.png",
            caption="../report/comparison.rst",
            category="Summary",
            labels={"figure": "comparison of {comparison}"},
        ),
        pdf=f"{RESULTS}/comparisons/{{comparison}}.pdf",
    log:
        f"{RESULTS}/logs/compare_runs_{{comparison}}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(10),
    params:
        columns=comparison_columns,
        folders=lambda wildcards, input: [
            os.path.dirname(path) for path in input.metrics
        ],
    shell:
        "python -m flowpkg compare --columns {params.columns:q} --evaluations {params.folders} "
        "--style {input.style} --out {output.table} {output.png} {output.pdf} > {log} 2>&1"
