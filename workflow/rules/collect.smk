rule collect_metrics:
    input:
        metrics=evaluations,
        code=modules_behind("flowpkg.commands.collect"),
    output:
        table=f"{RESULTS}/summary.csv",
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
        mem_mb=1000,
        runtime="10m",
    params:
        folders=lambda wildcards, input: [
            os.path.dirname(path) for path in input.metrics
        ],
    shell:
        "python -m flowpkg collect --evaluations {params.folders} --out {output.table} --html {output.page} > {log} 2>&1"
