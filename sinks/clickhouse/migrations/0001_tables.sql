CREATE TABLE IF NOT EXISTS {database}.sink_leases{on_cluster} (cluster String, topic String, partition Int32, epoch UInt64, lease String, taken_at DateTime64(6, 'UTC'))
ENGINE = {engine} ORDER BY (cluster, topic, partition, epoch)
SETTINGS {deduplication_window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Who may write a partition: the newest epoch wins.';

CREATE DICTIONARY IF NOT EXISTS {database}.sink_leases_current{on_cluster} (current String, valid UInt8)
PRIMARY KEY current
SOURCE(CLICKHOUSE(QUERY 'SELECT argMax(lease, (epoch, lease)) AS current, 1 AS valid FROM {database}.sink_leases GROUP BY cluster, topic, partition'))
LAYOUT(COMPLEX_KEY_DIRECT())
COMMENT 'The lease of each partition that may write now.';

CREATE TABLE IF NOT EXISTS {database}.sink_marks{on_cluster} (cluster String, topic String, partition Int32, last SimpleAggregateFunction(max, Int64))
ENGINE = {aggregating_engine} ORDER BY (cluster, topic, partition)
SETTINGS {deduplication_window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'How far each partition has landed without a gap.';

CREATE TABLE IF NOT EXISTS {database}.sink_source_marks{on_cluster} (topic String, partition Int32, src_cluster String, src_topic String, src_partition Int32, mark SimpleAggregateFunction(max, Tuple(Int64, Int64)))
ENGINE = {aggregating_engine} ORDER BY (topic, partition, src_cluster, src_topic, src_partition)
SETTINGS {deduplication_window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'How far each root log has landed per partition.';

CREATE TABLE IF NOT EXISTS {database}.conversation_events{on_cluster} (
    `event_id` Nullable(String) COMMENT 'Unique id chosen by the publisher; the same id with the same content counts once.',
    `conversation_id` Nullable(String) COMMENT 'The contact that this event belongs to; the Kafka key.',
    `sequence` Nullable(Int64) COMMENT 'Position in the conversation as the publisher counts, from 0; null = order of arrival.',
    `occurred_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'Microseconds since the epoch, UTC; null = unknown.',
    `started_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'For kind conversation: when the contact began, microseconds UTC; null = unknown.',
    `kind` LowCardinality(Nullable(String)) COMMENT 'What happened.',
    `tenant` LowCardinality(Nullable(String)) COMMENT 'Company or brand; null = the only one.',
    `agent` LowCardinality(Nullable(String)) COMMENT 'Name of the agent or bot.',
    `variant` LowCardinality(Nullable(String)) COMMENT 'Model or experiment arm that answered.',
    `customer_hash` Nullable(String) COMMENT 'Keyed hash of the customer.',
    `messages` Nullable(Int32) COMMENT 'How many chat messages it carried.',
    `refused` LowCardinality(Nullable(String)) COMMENT 'Why these bytes are no event; null = they are one.',
    `value_sha256` Nullable(String) COMMENT 'sha256 of the bytes as they came; null = there were none.',
    `value_bytes` Int64 COMMENT 'Size of the bytes as they came.',
    `_topic` LowCardinality(String) COMMENT 'Topic that the sink read this row from, without prefix.',
    `_partition` Int32 COMMENT 'Partition of that topic.',
    `_offset` Int64 COMMENT 'Offset in that partition: the row\'s identity, once per cluster.' CODEC(Delta, ZSTD),
    `_cluster` LowCardinality(String) COMMENT 'Broker cluster id; a memory-only broker gets a new one at each start.',
    `_logged_at` DateTime64(6, 'UTC') COMMENT 'Kafka timestamp of the record.' CODEC(Delta, ZSTD),
    `_ingested_at` DateTime64(6, 'UTC') COMMENT 'When the sink built the block of this row.' CODEC(Delta, ZSTD),
    `_lease` LowCardinality(String) COMMENT 'Lease under which the sink wrote this row; a superseded lease cannot write.',
    INDEX by_conversation conversation_id TYPE bloom_filter GRANULARITY 4,
    CONSTRAINT fence CHECK dictHas('{database}.sink_leases_current', _lease)
)
ENGINE = {engine}
ORDER BY (_cluster, _partition, _offset)
SETTINGS {deduplication_window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Envelope of every published event, once per log position; what was said stays in Kafka.';

CREATE TABLE IF NOT EXISTS {database}.conversations{on_cluster} (
    `conversation_id` String COMMENT 'The contact; the Kafka key.',
    `revision` Int32 COMMENT 'From 1; a newer revision supersedes.',
    `tenant` LowCardinality(Nullable(String)) COMMENT 'Company or brand.',
    `customer_hash` Nullable(String) COMMENT 'Keyed hash of the customer; splits go by it.',
    `agent` LowCardinality(Nullable(String)) COMMENT 'Name of the agent or bot.',
    `variant` LowCardinality(Nullable(String)) COMMENT 'Model or experiment arm.',
    `started_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'First known time, microseconds UTC.',
    `ended_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'Last known time, microseconds UTC.',
    `messages` String COMMENT 'Array of OpenAI chat messages, redacted (JSON text)' CODEC(ZSTD(3)),
    `tools` Nullable(String) COMMENT 'Array of tool definitions; null = unknown (JSON text)' CODEC(ZSTD(3)),
    `usage` String COMMENT 'Tokens, cost and latency as far as known. (JSON text)' CODEC(ZSTD(3)),
    `feedback` String COMMENT 'All feedback, in order. (JSON text)' CODEC(ZSTD(3)),
    `outcome` Nullable(String) COMMENT 'How the contact ended; null = not reported. (JSON text)' CODEC(ZSTD(3)),
    `labels` String COMMENT 'Array of {task, message, target, label_set, source}: what annotations of the teacher, a guardrail or a person say; `message` is an index into messages; source is teacher, person, guardrail or rule (JSON text)' CODEC(ZSTD(3)),
    `metadata` Map(LowCardinality(String), String) COMMENT 'Free keys of the publisher.',
    `closed_by` LowCardinality(String) COMMENT 'What ended it.',
    `events` Int32 COMMENT 'How many events it was made of.',
    `redactor` LowCardinality(String) COMMENT 'Version of the redaction that made it.',
    `redactions` Map(LowCardinality(String), Int32) COMMENT 'Replaced values per type.',
    `model` LowCardinality(Nullable(String)) COMMENT 'Model that answered, or several joined by +.',
    `success` Nullable(Bool) COMMENT 'Outcome: did it succeed; null = not reported.',
    `reward` Nullable(Float64) COMMENT 'Outcome: reward; null = not reported.',
    `cost_usd` Nullable(Float64) COMMENT 'Cost of the contact; null unless all of it is known.',
    `prompt_tokens` Nullable(Int64) COMMENT 'Prompt tokens of the contact; null unless all are known.',
    `completion_tokens` Nullable(Int64) COMMENT 'Completion tokens; null unless all are known.',
    `cached_tokens` Nullable(Int64) COMMENT 'Cached prompt tokens; null unless all are known.',
    `model_ms` Nullable(Float64) COMMENT 'Time spent in model calls, ms; null unless all is known.',
    `duration_ms` Nullable(Float64) COMMENT 'From the first to the last known time, ms.',
    `src_cluster` LowCardinality(String) COMMENT 'Cluster of the root record that caused this one.',
    `src_topic` LowCardinality(String) COMMENT 'Topic of the root record, or labels:<sha256> for an imported file.',
    `src_partition` Int32 COMMENT 'Partition of the root record.',
    `src_offset` Int64 COMMENT 'Offset of the root record, or the line of a file.' CODEC(Delta, ZSTD),
    `src_index` Int32 COMMENT 'Position among the records that the root yields.',
    `src_previous_offset` Nullable(Int64) COMMENT 'Root offset of the record before; null = first of a session.',
    `attempt` Int32 COMMENT '0 at first; raised by each replay from the dead letters.',
    `_topic` LowCardinality(String) COMMENT 'Topic that the sink read this row from, without prefix.',
    `_partition` Int32 COMMENT 'Partition of that topic.',
    `_offset` Int64 COMMENT 'Offset in that partition: the row\'s identity, once per cluster.' CODEC(Delta, ZSTD),
    `_cluster` LowCardinality(String) COMMENT 'Broker cluster id; a memory-only broker gets a new one at each start.',
    `_logged_at` DateTime64(6, 'UTC') COMMENT 'Kafka timestamp of the record.' CODEC(Delta, ZSTD),
    `_ingested_at` DateTime64(6, 'UTC') COMMENT 'When the sink built the block of this row.' CODEC(Delta, ZSTD),
    `_lease` LowCardinality(String) COMMENT 'Lease under which the sink wrote this row; a superseded lease cannot write.',
    INDEX by_source src_offset TYPE minmax GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 1,
    CONSTRAINT fence CHECK dictHas('{database}.sink_leases_current', _lease)
)
ENGINE = {engine}
ORDER BY (conversation_id, revision)
SETTINGS {deduplication_window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Whole, redacted conversations, every revision; see the view newest_conversations.';

CREATE TABLE IF NOT EXISTS {database}.scores{on_cluster} (
    `conversation_id` String COMMENT 'The contact; the Kafka key.',
    `revision` Int32 COMMENT 'Of the conversation.',
    `scorer` LowCardinality(String) COMMENT 'Version of the scoring rules.',
    `quality` Nullable(Float64) COMMENT '0 (bad) to 1 (good); null = too little is known.',
    `signals` Map(LowCardinality(String), Nullable(Float64)) COMMENT 'Each signal 0 to 1; null = not observed.',
    `failed` Nullable(Bool) COMMENT 'Whether the outcome was a failure; null = unknown.',
    `occurred_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'End of the conversation, microseconds UTC.',
    `tenant` LowCardinality(Nullable(String)) COMMENT 'Company or brand.',
    `variant` LowCardinality(Nullable(String)) COMMENT 'Model or experiment arm.',
    `src_cluster` LowCardinality(String) COMMENT 'Cluster of the root record that caused this one.',
    `src_topic` LowCardinality(String) COMMENT 'Topic of the root record, or labels:<sha256> for an imported file.',
    `src_partition` Int32 COMMENT 'Partition of the root record.',
    `src_offset` Int64 COMMENT 'Offset of the root record, or the line of a file.' CODEC(Delta, ZSTD),
    `src_index` Int32 COMMENT 'Position among the records that the root yields.',
    `src_previous_offset` Nullable(Int64) COMMENT 'Root offset of the record before; null = first of a session.',
    `attempt` Int32 COMMENT '0 at first; raised by each replay from the dead letters.',
    `_topic` LowCardinality(String) COMMENT 'Topic that the sink read this row from, without prefix.',
    `_partition` Int32 COMMENT 'Partition of that topic.',
    `_offset` Int64 COMMENT 'Offset in that partition: the row\'s identity, once per cluster.' CODEC(Delta, ZSTD),
    `_cluster` LowCardinality(String) COMMENT 'Broker cluster id; a memory-only broker gets a new one at each start.',
    `_logged_at` DateTime64(6, 'UTC') COMMENT 'Kafka timestamp of the record.' CODEC(Delta, ZSTD),
    `_ingested_at` DateTime64(6, 'UTC') COMMENT 'When the sink built the block of this row.' CODEC(Delta, ZSTD),
    `_lease` LowCardinality(String) COMMENT 'Lease under which the sink wrote this row; a superseded lease cannot write.',
    INDEX by_source src_offset TYPE minmax GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 1,
    CONSTRAINT fence CHECK dictHas('{database}.sink_leases_current', _lease)
)
ENGINE = {engine}
ORDER BY (conversation_id, revision)
SETTINGS {deduplication_window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Deterministic quality of every conversation revision.';

CREATE TABLE IF NOT EXISTS {database}.examples{on_cluster} (
    `example_id` String COMMENT 'Deterministic: of conversation, revision, turn, task and label set.',
    `task` LowCardinality(String) COMMENT 'Which track it serves.',
    `conversation_id` String COMMENT 'Where it was cut from; the Kafka key.',
    `revision` Int32 COMMENT 'Of the conversation.',
    `turn` Int32 COMMENT 'Index of the message that the target is about.',
    `tenant` LowCardinality(Nullable(String)) COMMENT 'Company or brand.',
    `customer_hash` Nullable(String) COMMENT 'Keyed hash of the customer.',
    `input` String COMMENT 'Array of the last chat messages within the token budget, oldest first; the last one is what is judged or answered (JSON text)' CODEC(ZSTD(3)),
    `tools` Nullable(String) COMMENT 'Names and schemas of offered tools, for the tools task (JSON text)' CODEC(ZSTD(3)),
    `target` String COMMENT 'Label or list of labels, spans [{start,end,label}] in the last input message\'s text, text, {name,arguments} or null, list of violated categories (JSON text)' CODEC(ZSTD(3)),
    `label_set` LowCardinality(String) COMMENT 'The label space; batches never mix them.',
    `label_source` LowCardinality(String) COMMENT 'teacher, person, guardrail, flow, tool_sequence, tool_arguments, transcript, refusal, file.',
    `label` LowCardinality(String) COMMENT 'The bucket\'s label, e.g. the intent, the tool\'s name, `none`.',
    `difficulty` LowCardinality(String) COMMENT 'Easy, medium or hard.',
    `language` LowCardinality(String) COMMENT 'ISO 639-1, or `und`.',
    `origin` LowCardinality(String) COMMENT 'How it came to be.',
    `bucket` LowCardinality(String) COMMENT 'task/label/difficulty/language/origin.',
    `split` LowCardinality(String) COMMENT 'By customer, else conversation, else text, by hash.',
    `weight` Float64 COMMENT 'Training weight.',
    `admitted` Bool COMMENT 'Whether training may use it.',
    `reasons` Array(LowCardinality(String)) COMMENT 'Why it was admitted, or why not.',
    `quality` Nullable(Float64) COMMENT 'Score of its conversation.',
    `scorer` LowCardinality(Nullable(String)) COMMENT 'Version of the scorer.',
    `decomposer` LowCardinality(String) COMMENT 'Version of the rules that cut it.',
    `text_hash` String COMMENT 'sha256 of the normalised input text: duplicates and leaks are found by it.',
    `occurred_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'End of the conversation, microseconds UTC.',
    `src_cluster` LowCardinality(String) COMMENT 'Cluster of the root record that caused this one.',
    `src_topic` LowCardinality(String) COMMENT 'Topic of the root record, or labels:<sha256> for an imported file.',
    `src_partition` Int32 COMMENT 'Partition of the root record.',
    `src_offset` Int64 COMMENT 'Offset of the root record, or the line of a file.' CODEC(Delta, ZSTD),
    `src_index` Int32 COMMENT 'Position among the records that the root yields.',
    `src_previous_offset` Nullable(Int64) COMMENT 'Root offset of the record before; null = first of a session.',
    `attempt` Int32 COMMENT '0 at first; raised by each replay from the dead letters.',
    `_topic` LowCardinality(String) COMMENT 'Topic that the sink read this row from, without prefix.',
    `_partition` Int32 COMMENT 'Partition of that topic.',
    `_offset` Int64 COMMENT 'Offset in that partition: the row\'s identity, once per cluster.' CODEC(Delta, ZSTD),
    `_cluster` LowCardinality(String) COMMENT 'Broker cluster id; a memory-only broker gets a new one at each start.',
    `_logged_at` DateTime64(6, 'UTC') COMMENT 'Kafka timestamp of the record.' CODEC(Delta, ZSTD),
    `_ingested_at` DateTime64(6, 'UTC') COMMENT 'When the sink built the block of this row.' CODEC(Delta, ZSTD),
    `_lease` LowCardinality(String) COMMENT 'Lease under which the sink wrote this row; a superseded lease cannot write.',
    INDEX by_source src_offset TYPE minmax GRANULARITY 1,
    INDEX by_offset _offset TYPE minmax GRANULARITY 1,
    CONSTRAINT fence CHECK dictHas('{database}.sink_leases_current', _lease)
)
ENGINE = {engine}
ORDER BY (task, label_set, split, conversation_id, revision, turn)
SETTINGS {deduplication_window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Training examples, admitted or not, with the reasons; see the view current_examples.';

CREATE TABLE IF NOT EXISTS {database}.model_events{on_cluster} (
    `event_id` String COMMENT 'Deterministic: of adapter, kind and run.',
    `kind` LowCardinality(String) COMMENT 'What happened.',
    `task` LowCardinality(String) COMMENT 'Its track.',
    `adapter` String COMMENT 'Name, e.g. intent-00017-3fa9c1d2; the Kafka key; never reused.',
    `number` Int32 COMMENT 'Counts up per track.',
    `occurred_at` DateTime64(6, 'UTC') COMMENT 'Microseconds UTC.',
    `base_model` LowCardinality(String) COMMENT 'Id of the base model.',
    `base_revision` LowCardinality(String) COMMENT 'Its revision or weights digest.',
    `artifact` Nullable(String) COMMENT 'Null where none was made. (JSON text)' CODEC(ZSTD(3)),
    `head` LowCardinality(String) COMMENT 'Head strategy.',
    `label_set` LowCardinality(String) COMMENT 'The label space.',
    `labels` Array(LowCardinality(String)) COMMENT 'Labels in order of the head\'s outputs.',
    `rank` Int32 COMMENT 'LoRA rank.',
    `target_modules` Array(LowCardinality(String)) COMMENT 'Adapted layers.',
    `tokenizer_sha256` String COMMENT 'Digest of tokenizer and chat template.',
    `batch` LowCardinality(String) COMMENT 'Content hash of the training batch.',
    `run_id` LowCardinality(String) COMMENT 'The run.',
    `round` Int32 COMMENT 'Round in the run, from 1.',
    `metrics` String COMMENT 'With intervals. (JSON text)' CODEC(ZSTD(3)),
    `slices` String COMMENT 'Array of {bucket, n, value, errors}: metric per bucket (JSON text)' CODEC(ZSTD(3)),
    `gate` Nullable(String) COMMENT 'Null where no gate was asked. (JSON text)' CODEC(ZSTD(3)),
    `routing` Nullable(String) COMMENT 'Null until calibrated. (JSON text)' CODEC(ZSTD(3)),
    `lineage` String COMMENT 'Parent adapter, batch manifests, seed, code commit, settings (JSON text)' CODEC(ZSTD(3)),
    `verdict` LowCardinality(Nullable(String)) COMMENT 'The gate\'s verdict; null where none was asked.',
    `artifact_uri` Nullable(String) COMMENT 'Where the adapter lies; null where none was made.',
    `_topic` LowCardinality(String) COMMENT 'Topic that the sink read this row from, without prefix.',
    `_partition` Int32 COMMENT 'Partition of that topic.',
    `_offset` Int64 COMMENT 'Offset in that partition: the row\'s identity, once per cluster.' CODEC(Delta, ZSTD),
    `_cluster` LowCardinality(String) COMMENT 'Broker cluster id; a memory-only broker gets a new one at each start.',
    `_logged_at` DateTime64(6, 'UTC') COMMENT 'Kafka timestamp of the record.' CODEC(Delta, ZSTD),
    `_ingested_at` DateTime64(6, 'UTC') COMMENT 'When the sink built the block of this row.' CODEC(Delta, ZSTD),
    `_lease` LowCardinality(String) COMMENT 'Lease under which the sink wrote this row; a superseded lease cannot write.',
    CONSTRAINT fence CHECK dictHas('{database}.sink_leases_current', _lease)
)
ENGINE = {engine}
ORDER BY (task, number, occurred_at)
SETTINGS {deduplication_window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'What happened to each adapter version; see the views adapter_versions and rounds.';

CREATE TABLE IF NOT EXISTS {database}.dead_letters{on_cluster} (
    `dead_letter_id` String COMMENT 'Deterministic: of cluster, topic, partition, offset, stage and attempt.',
    `stage` LowCardinality(String) COMMENT 'Which step refused it.',
    `reason` LowCardinality(String) COMMENT 'Closed code, e.g. undecodable, unknown_schema, conflicting_event, too_late.',
    `cluster_id` LowCardinality(String) COMMENT 'Source cluster.',
    `topic` LowCardinality(String) COMMENT 'Source topic without prefix.',
    `partition` Int32 COMMENT 'Source partition.',
    `offset` Int64 COMMENT 'Source offset.',
    `attempt` Int32 COMMENT 'How often it was tried before this.',
    `failed_at` DateTime64(6, 'UTC') COMMENT 'Kafka timestamp of the source, microseconds UTC.',
    `value_sha256` Nullable(String) COMMENT 'sha256 of the bytes as they came; null = there were none.',
    `value_bytes` Int64 COMMENT 'Size of the bytes as they came.',
    `_topic` LowCardinality(String) COMMENT 'Topic that the sink read this row from, without prefix.',
    `_partition` Int32 COMMENT 'Partition of that topic.',
    `_offset` Int64 COMMENT 'Offset in that partition: the row\'s identity, once per cluster.' CODEC(Delta, ZSTD),
    `_cluster` LowCardinality(String) COMMENT 'Broker cluster id; a memory-only broker gets a new one at each start.',
    `_logged_at` DateTime64(6, 'UTC') COMMENT 'Kafka timestamp of the record.' CODEC(Delta, ZSTD),
    `_ingested_at` DateTime64(6, 'UTC') COMMENT 'When the sink built the block of this row.' CODEC(Delta, ZSTD),
    `_lease` LowCardinality(String) COMMENT 'Lease under which the sink wrote this row; a superseded lease cannot write.',
    INDEX by_id dead_letter_id TYPE bloom_filter GRANULARITY 1,
    CONSTRAINT fence CHECK dictHas('{database}.sink_leases_current', _lease)
)
ENGINE = {engine}
ORDER BY (stage, failed_at)
SETTINGS {deduplication_window}, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Envelope of every record that a stage could not take; the bytes stay in the topic dead.letters.';
