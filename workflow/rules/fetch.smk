# Asked for by runs whose images lie in an archive, and by hand; the shipped default config names none.
rule fetch_archive:
    input:
        code=modules_behind("flowpkg.commands.fetch"),
    output:
        folder=update(directory("resources/{archive}")),
    log:
        f"{RESULTS}/logs/fetch_archive_{{archive}}.log",
    retries: 2
    conda:
        "../../environment.yml"
    resources:
        mem_mb=1000,
        runtime="12h",
    params:
        url=archive_key("url"),
        sha256=archive_key("sha256"),
        max_gb=archive_key("max_gb"),
    shell:
        "python -m flowpkg fetch --url {params.url:q} --sha256 {params.sha256:q} --max-gb {params.max_gb} "
        "--out {output.folder} > {log} 2>&1"
