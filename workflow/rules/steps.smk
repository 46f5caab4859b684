rule simulate_shard:
    input:
        source=source_files,
        code=code_of_simulate,
    output:
        shard=f"{RESULTS}/{{run}}/shards/{{shard}}-of-{{shards}}.npz",
    log:
        f"{RESULTS}/{{run}}/logs/simulate_shard_{{shard}}-of-{{shards}}.log",
    benchmark:
        f"{RESULTS}/{{run}}/logs/simulate_shard_{{shard}}-of-{{shards}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime="2h",
    params:
        settings=settings_of("data"),
    shell:
        "python -m flowpkg simulate --settings {params.settings:q} --shard {wildcards.shard} "
        "--shards {wildcards.shards} --out {output.shard} > {log} 2>&1"


rule prepare_data:
    input:
        source=source_files,
        shards=shard_files,
        code=code_of_prepare,
    output:
        data=update(directory(f"{RESULTS}/{{run}}/data")),
    log:
        f"{RESULTS}/{{run}}/logs/prepare_data.log",
    benchmark:
        f"{RESULTS}/{{run}}/logs/prepare_data.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=scaled(2000),
        runtime=scaled(30),
    params:
        settings=settings_of("data", "training"),
        shards=shards_option,
    shell:
        "python -m flowpkg prepare --settings {params.settings:q} {params.shards} --out {output.data} > {log} 2>&1"


rule train_model:
    input:
        data=f"{RESULTS}/{{run}}/data",
        code=code_of_train,
    output:
        weights=update(f"{RESULTS}/{{run}}/model/weights.npz"),
        architecture=update(f"{RESULTS}/{{run}}/model/architecture.json"),
        history=update(f"{RESULTS}/{{run}}/model/history.csv"),
        training=update(f"{RESULTS}/{{run}}/model/training.json"),
        scores=update(f"{RESULTS}/{{run}}/model/training_scores.npz"),
    log:
        f"{RESULTS}/{{run}}/logs/train_model.log",
    benchmark:
        f"{RESULTS}/{{run}}/logs/train_model.benchmark.tsv"
    wildcard_constraints:
        run=one_of(set(RUNS) - set(heavy_runs)),
    conda:
        "../../environment.yml"
    # One thread: independent runs then share the cores, and results do not depend on how many there are.
    threads: 1
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(240),
        gpu=0,
    params:
        settings=settings_of("data", "flow", "training"),
        out=subpath(output.weights, parent=True),
        checkpoints=f"{RESULTS}/{{run}}/checkpoints",
    shell:
        "python -m flowpkg train --settings {params.settings:q} --data {input.data} --out {params.out} "
        "--checkpoints {params.checkpoints} --threads {threads} --gpus {resources.gpu} > {log} 2>&1"


# The same step for runs that a processor would take long over: profiles send it to GPU nodes.
use rule train_model as train_heavy_model with:
    wildcard_constraints:
        run=one_of(heavy_runs),
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(1440),
        gpu=LOCAL_GPUS,


rule reference_posterior:
    input:
        data=f"{RESULTS}/{{run}}/data",
        code=code_of_reference,
    output:
        samples=f"{RESULTS}/{{run}}/reference/reference.npz",
        report=f"{RESULTS}/{{run}}/reference/report.json",
    log:
        f"{RESULTS}/{{run}}/logs/reference_posterior.log",
    benchmark:
        f"{RESULTS}/{{run}}/logs/reference_posterior.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled(3000),
        runtime=scaled(120),
    params:
        settings=reference_settings,
        out=subpath(output.samples, parent=True),
        # Kept by content, outside of what Snakemake looks after: a reference costs minutes and hardly ever changes.
        cache=f"{RESULTS}/references",
    shell:
        "python -m flowpkg reference --settings {params.settings:q} --data {input.data} --out {params.out} "
        "--cache {params.cache} --threads {threads} > {log} 2>&1"


rule evaluate_model:
    input:
        data=f"{RESULTS}/{{run}}/data",
        weights=f"{RESULTS}/{{run}}/model/weights.npz",
        architecture=f"{RESULTS}/{{run}}/model/architecture.json",
        history=f"{RESULTS}/{{run}}/model/history.csv",
        training=f"{RESULTS}/{{run}}/model/training.json",
        scores=f"{RESULTS}/{{run}}/model/training_scores.npz",
        reference=reference_files,
        code=code_of_evaluate,
    output:
        metrics=f"{RESULTS}/{{run}}/evaluation/metrics.json",
        arrays=f"{RESULTS}/{{run}}/evaluation/arrays.npz",
        provenance=f"{RESULTS}/{{run}}/evaluation/provenance.json",
    log:
        f"{RESULTS}/{{run}}/logs/evaluate_model.log",
    benchmark:
        f"{RESULTS}/{{run}}/logs/evaluate_model.benchmark.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
        gpu=0,
    params:
        settings=settings_of("data", "flow", "training", "evaluation"),
        model=subpath(input.weights, parent=True),
        out=subpath(output.metrics, parent=True),
        reference=reference_option,
    shell:
        "python -m flowpkg evaluate --settings {params.settings:q} --data {input.data} --model {params.model} "
        "{params.reference} --out {params.out} --threads {threads} --gpus {resources.gpu} > {log} 2>&1"


rule draw_figure:
    input:
        metrics=f"{RESULTS}/{{run}}/evaluation/metrics.json",
        arrays=f"{RESULTS}/{{run}}/evaluation/arrays.npz",
        provenance=f"{RESULTS}/{{run}}/evaluation/provenance.json",
        history=f"{RESULTS}/{{run}}/model/history.csv",
        style=local(CONFIG["style"]),
        code=code_of_draw,
    output:
        png=report(
            f"{RESULTS}/{{run}}/figures/{{figure}}.png",
            caption="../report/figure.rst",
            category=run_application,
            subcategory="{run}",
            labels={"figure": "{figure}"},
        ),
        pdf=f"{RESULTS}/{{run}}/figures/{{figure}}.pdf",
    log:
        f"{RESULTS}/{{run}}/logs/draw_figure_{{figure}}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(10),
    params:
        settings=draw_settings,
        evaluation=subpath(input.metrics, parent=True),
        model=subpath(input.history, parent=True),
    shell:
        "python -m flowpkg draw --settings {params.settings:q} --figure {wildcards.figure} "
        "--evaluation {params.evaluation} --model {params.model} --style {input.style} "
        "--out {output.png} {output.pdf} > {log} 2>&1"


rule draw_page:
    input:
        metrics=f"{RESULTS}/{{run}}/evaluation/metrics.json",
        arrays=f"{RESULTS}/{{run}}/evaluation/arrays.npz",
        provenance=f"{RESULTS}/{{run}}/evaluation/provenance.json",
        history=f"{RESULTS}/{{run}}/model/history.csv",
        code=code_of_draw,
    output:
        page=report(
            f"{RESULTS}/{{run}}/figures/{{figure}}.html",
            caption="../report/figure.rst",
            category=run_application,
            subcategory="{run}",
            labels={"figure": "{figure} (interactive)"},
        ),
    log:
        f"{RESULTS}/{{run}}/logs/draw_page_{{figure}}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=scaled(1000),
        runtime=scaled(10),
    params:
        settings=draw_settings,
        evaluation=subpath(input.metrics, parent=True),
        model=subpath(input.history, parent=True),
    shell:
        "python -m flowpkg draw --settings {params.settings:q} --figure {wildcards.figure} "
        "--evaluation {params.evaluation} --model {params.model} --out {output.page} > {log} 2>&1"
