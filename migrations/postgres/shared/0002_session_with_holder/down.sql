DROP FUNCTION tessera.session(text, text, uuid);
