DROP TABLE events;
DROP TABLE keys;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE tenant_domains;
DROP TABLE tenant_names;
DROP TABLE tenants;
DROP TABLE installation;
