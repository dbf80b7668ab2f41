#!/bin/sh
# Run once, by the Postgres image, when its volume is empty. Tessera gets a role that owns its
# database and is no superuser, because row-level security does not bind a superuser.
set -eu

psql --no-psqlrc --set ON_ERROR_STOP=1 --username postgres --set password="$TESSERA_PASSWORD" <<'SQL'
CREATE ROLE tessera LOGIN PASSWORD :'password';
CREATE DATABASE tessera OWNER tessera;
SQL
