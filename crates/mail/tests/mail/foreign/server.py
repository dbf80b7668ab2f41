"""A mail server that is not ours. It prints its port, and then each mail that it takes as a line of
JSON. What it is like is said by words on the command line:

tls, starttls CERTIFICATE KEY   it speaks TLS from the start, or after STARTTLS and not before
login                           ada may send, with the password "secret word", and nobody else
refuse, busy                    it takes no recipient, for good (550) or for now (451), and repeats it
leaving                         it is about to shut down (421) once the recipient is named
late                            it asks for a log in (530) once the recipient is named
sender                          it takes no sender (553)
content, full                   it takes no mail, for good (554) or for now (452)
silent                          it says nothing once it has the mail
old                             it has neither 8BITMIME nor SMTPUTF8
"""

import asyncio
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

from read import read

LIKE = sys.argv[1:]

# Clients that leave in the middle are what some tests are about.
logging.disable()
warnings.simplefilter("ignore")


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if "sender" in LIKE:
            return f"553 5.1.8 {address} is not welcome"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if "refuse" in LIKE:
            return f"550 5.1.1 {address} does not live here"
        if "leaving" in LIKE:
            return "421 4.3.2 shutting down"
        if "late" in LIKE:
            return f"530 5.7.0 log in before mail for {address}"
        if "busy" in LIKE:
            return f"451 4.3.2 too much mail for {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "silent" in LIKE:
            await asyncio.sleep(3600)
        if "content" in LIKE:
            return f"554 5.6.0 not for {envelope.rcpt_tos[0]}"
        if "full" in LIKE:
            return f"452 4.2.2 the mailbox of {envelope.rcpt_tos[0]} is full"
        data = envelope.original_content or envelope.content
        seen = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "options": envelope.mail_options,
            "encrypted": session.ssl is not None or LIKE[:1] == ["tls"],
            "hello": session.host_name,
            "user": session.auth_data,
        }
        print(read(data, **seen), flush=True)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    if (data.login, data.password) == (b"ada", b"secret word"):
        return AuthResult(success=True, auth_data="ada")
    return AuthResult(success=False, handled=False, message="535 5.7.8 no, ada@example.org")


def encryption():
    if LIKE[:1] not in (["tls"], ["starttls"]):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LIKE[1], LIKE[2])
    return context


async def main():
    context = encryption()
    starttls = context if LIKE[:1] == ["starttls"] else None

    def serve():
        return SMTP(
            Handler(),
            hostname="localhost",
            decode_data="old" in LIKE,
            enable_SMTPUTF8="old" not in LIKE,
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required="login" in LIKE,
            auth_require_tls=False,
            auth_exclude_mechanism=() if "login" in LIKE else ("LOGIN", "PLAIN"),
            authenticator=authenticate,
        )

    loop = asyncio.get_running_loop()
    from_the_start = None if starttls else context
    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=from_the_start)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
