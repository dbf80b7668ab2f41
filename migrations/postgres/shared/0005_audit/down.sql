DROP FUNCTION tessera.expire_audit(bigint, bigint);
DROP TABLE tessera.audit;
DROP FUNCTION tessera.keep_young_audit();
DROP FUNCTION tessera.keep_audit();
DROP TABLE tessera.audit_expiry;
DROP FUNCTION tessera.keep_audit_expiry();
