DROP FUNCTION tessera.taken();
DROP FUNCTION tessera.stale();
DROP TABLE tessera.events;
DROP TABLE tessera.keys;
DROP TABLE tessera.tenant_domains;
DROP TABLE tessera.tenant_names;
DROP TABLE tessera.tenants;
DROP TABLE tessera.installation;
