DROP TABLE mailed_tokens;
DROP TABLE mails;
