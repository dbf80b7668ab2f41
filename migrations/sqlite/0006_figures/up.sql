-- How the planner is told that a tenant has many sessions and a user few. Without figures it takes the
-- primary key for the sessions of a user who goes, and reads all of the tenant; and with a tenant all its
-- users go. The first line makes the table of figures.
ANALYZE installation;

DELETE FROM sqlite_stat1 WHERE tbl IN ('installation', 'sessions');

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('sessions', 'sessions', '1000000 10000 1'),
    ('sessions', 'sessions_tenant_id_user_id_idx', '1000000 10000 5');

-- They count from now on.
ANALYZE sqlite_schema;
