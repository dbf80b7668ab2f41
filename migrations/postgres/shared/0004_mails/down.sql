DROP TABLE tessera.mails;
