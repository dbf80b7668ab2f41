DROP TABLE tessera.waiting;
DROP TABLE tessera.publishers;
