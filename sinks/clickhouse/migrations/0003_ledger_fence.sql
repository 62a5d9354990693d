ALTER TABLE {database}.sink_marks{on_cluster} ADD COLUMN IF NOT EXISTS `_lease` LowCardinality(String) COMMENT 'Lease under which a sink wrote this; empty = a sink of before the fence.', ADD CONSTRAINT IF NOT EXISTS fence CHECK empty(_lease) OR dictHas('{database}.sink_leases_current', _lease);

ALTER TABLE {database}.sink_source_marks{on_cluster} ADD COLUMN IF NOT EXISTS `_lease` LowCardinality(String) COMMENT 'Lease under which a sink wrote this; empty = a sink of before the fence.', ADD CONSTRAINT IF NOT EXISTS fence CHECK empty(_lease) OR dictHas('{database}.sink_leases_current', _lease);
