DROP INDEX events_tenant_id_position_idx;
DROP TABLE waiting;
DROP TABLE publishers;
