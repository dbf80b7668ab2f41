LOCK TABLE tessera.events IN ACCESS EXCLUSIVE MODE;
ALTER TABLE tessera.events ALTER COLUMN position DROP DEFAULT;
ALTER TABLE tessera.events ALTER COLUMN position ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval('tessera.events_position_seq', last_value, is_called) FROM tessera.positions;
DROP FUNCTION tessera.next_position();
DROP SEQUENCE tessera.positions;
DROP TABLE tessera.gaps;
DROP TABLE tessera.waiting;
DROP TABLE tessera.publishers;
