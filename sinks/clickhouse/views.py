"""The views that analysts and the trainer read: text only, one COMMENT each, re-created by `still init`.

Tables keep every revision and every re-delivery by another broker cluster; the first two views say what counts now, and
the others build on them. An unknown figure stays null: averages leave it out, and say over how many they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_NEWEST_ROW = "max((revision, _ingested_at, _cluster, _partition, _offset))"


@dataclass(frozen=True, slots=True)
class View:
    """One view; `{db}` in its query stands for the database."""

    name: str
    comment: str
    query: str


VIEWS: tuple[View, ...] = (
    View(
        "newest_conversations",
        "One row per conversation: its newest revision.",
        f"""
        SELECT * FROM {{db}}.conversations
        WHERE (conversation_id, (revision, _ingested_at, _cluster, _partition, _offset)) IN
            (SELECT conversation_id, {_NEWEST_ROW} FROM {{db}}.conversations GROUP BY conversation_id)""",
    ),
    View(
        "newest_scores",
        "One row per conversation: the score of its newest scored revision.",
        f"""
        SELECT * FROM {{db}}.scores
        WHERE (conversation_id, (revision, _ingested_at, _cluster, _partition, _offset)) IN
            (SELECT conversation_id, {_NEWEST_ROW} FROM {{db}}.scores GROUP BY conversation_id)""",
    ),
    View(
        "current_examples",
        "Examples of the newest revision of each conversation, and all labelled ones, each once.",
        """
        SELECT * FROM {db}.examples
        WHERE (example_id, (_ingested_at, _cluster, _partition, _offset)) IN
            (SELECT example_id, max((_ingested_at, _cluster, _partition, _offset))
             FROM {db}.examples GROUP BY example_id)
          AND (origin = 'labelled' OR (conversation_id, revision) IN
            (SELECT conversation_id, max(revision) FROM
                (SELECT conversation_id, revision FROM {db}.examples
                 UNION ALL SELECT conversation_id, revision FROM {db}.conversations)
             GROUP BY conversation_id))""",
    ),
    View(
        "coverage",
        "How many examples each bucket holds, by split: where production is thin.",
        """
        SELECT task, label_set, label, difficulty, language, origin, split, bucket,
               count() AS examples, countIf(admitted) AS admitted, uniqExact(conversation_id) AS conversations,
               uniqExact(customer_hash) AS customers, max(_ingested_at) AS newest_at
        FROM {db}.current_examples
        GROUP BY task, label_set, label, difficulty, language, origin, split, bucket""",
    ),
    View(
        "funnel",
        "From published events to admitted examples: how many of each step pass, and why the others do not.",
        """
        SELECT * FROM (
        SELECT 1 AS step, 'events' AS stage, ifNull(kind, 'refused') AS detail, count() AS records
        FROM {db}.conversation_events WHERE replay_of IS NULL GROUP BY detail
        UNION ALL SELECT 2, 'conversations', closed_by, count() FROM {db}.newest_conversations GROUP BY closed_by
        UNION ALL SELECT 3, 'scores', multiIf(failed, 'failed', failed IS NULL, 'unknown', 'succeeded') AS d, count()
        FROM {db}.newest_scores GROUP BY d
        UNION ALL SELECT 4, 'examples', task, count() FROM {db}.current_examples GROUP BY task
        UNION ALL SELECT 5, 'admitted', arrayJoin(if(empty(reasons), ['no reason given'], reasons)) AS d, count()
        FROM {db}.current_examples WHERE admitted GROUP BY d
        UNION ALL SELECT 6, 'not admitted', arrayJoin(if(empty(reasons), ['no reason given'], reasons)) AS d, count()
        FROM {db}.current_examples WHERE NOT admitted GROUP BY d
        UNION ALL SELECT 7, 'dead letters', concat(stage, ': ', reason) AS d, count()
        FROM {db}.dead_letters GROUP BY d
        ) ORDER BY step, records DESC""",
    ),
    View(
        "quality_by_model",
        "Quality, outcome, cost and time of conversations by agent, variant and model; each mean with its count.",
        """
        SELECT c.agent AS agent, c.variant AS variant, c.model AS model, s.scorer AS scorer, count() AS conversations,
               countIf(s.quality IS NOT NULL) AS scored, avg(s.quality) AS quality,
               countIf(c.success IS NOT NULL) AS with_outcome, avg(c.success) AS success_rate, avg(c.reward) AS reward,
               countIf(c.cost_usd IS NOT NULL) AS priced, sum(c.cost_usd) AS cost_usd, avg(c.cost_usd) AS mean_cost_usd,
               sum(c.prompt_tokens) AS prompt_tokens, sum(c.completion_tokens) AS completion_tokens,
               avg(c.duration_ms) AS mean_duration_ms
        FROM {db}.newest_conversations AS c
        LEFT JOIN {db}.newest_scores AS s ON s.conversation_id = c.conversation_id AND s.revision = c.revision
        GROUP BY agent, variant, model, scorer
        SETTINGS join_use_nulls = 1""",
    ),
    View(
        "rounds",
        "Every measured figure of every training round, with its interval and the gate's verdict.",
        """
        SELECT occurred_at, run_id, round, task, label_set, adapter, kind, batch, verdict,
               JSONExtractString(metric, 'name') AS metric_name, JSONExtractString(metric, 'subject') AS subject,
               JSONExtractString(metric, 'on') AS measured_on,
               JSONExtract(metric, 'value', 'Nullable(Float64)') AS value,
               JSONExtract(metric, 'low', 'Nullable(Float64)') AS low,
               JSONExtract(metric, 'high', 'Nullable(Float64)') AS high,
               JSONExtractInt(metric, 'n') AS n
        FROM {db}.model_events ARRAY JOIN JSONExtractArrayRaw(metrics) AS metric
        ORDER BY occurred_at, adapter, metric_name, subject""",
    ),
    View(
        "adapter_versions",
        "One row per adapter version: its newest state, base, batch, verdict and where it lies.",
        """
        SELECT adapter, any(task) AS task, any(label_set) AS label_set, any(number) AS number,
               argMax(kind, (occurred_at, _offset)) AS state, any(head) AS head, any(base_model) AS base_model,
               any(base_revision) AS base_revision, any(rank) AS rank, any(batch) AS batch, any(run_id) AS run_id,
               max(round) AS round, argMaxIf(verdict, occurred_at, verdict IS NOT NULL) AS gate_verdict,
               argMaxIf(artifact_uri, occurred_at, artifact_uri IS NOT NULL) AS uri,
               argMaxIf(JSONExtractString(ifNull(artifact, ''), 'sha256'), occurred_at, artifact IS NOT NULL) AS sha256,
               min(occurred_at) AS first_at, max(occurred_at) AS changed_at, count() AS events
        FROM {db}.model_events GROUP BY adapter ORDER BY task, number""",
    ),
    View(
        "benchmark_items",
        "The labelled ground truth: what is measured on and never trained on.",
        "SELECT * FROM {db}.current_examples WHERE split = 'benchmark'",
    ),
)


def view_statements(database: str, on_cluster: str = "") -> Iterator[str]:
    """CREATE OR REPLACE of every view, each after those that it reads."""
    for view in VIEWS:
        query = view.query.replace("{db}", database).strip()
        comment = view.comment.replace("'", "\\'")
        yield f"CREATE OR REPLACE VIEW {database}.{view.name}{on_cluster} AS\n{query}\nCOMMENT '{comment}'"
