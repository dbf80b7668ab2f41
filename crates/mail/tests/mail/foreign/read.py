"""Reads mails as a program that is not ours does, and prints what it saw as lines of JSON."""

import email
import email.policy
import json
import sys


def read(data, **more):
    mail = email.message_from_bytes(data, policy=email.policy.default)
    parts = [mail, *mail.iter_parts()]
    headers = [header for part in parts for header in part.values()]
    defects = [defect for part in parts for defect in part.defects]
    defects += [defect for header in headers for defect in getattr(header, "defects", ())]
    seen = {
        "headers": mail.keys(),
        "id": mail["Message-ID"],
        "subject": mail["Subject"],
        "from": boxes(mail["From"]),
        "to": boxes(mail["To"]),
        "types": [part.get_content_type() for part in parts],
        "text": mail.get_body(("plain",)).get_content(),
        "html": mail.get_body(("html",)).get_content(),
        "defects": [repr(defect) for defect in defects],
        "ascii": data.isascii(),
    }
    return json.dumps(seen | more)


def boxes(header):
    return [[box.display_name, utf8(box.addr_spec)] for box in header.addresses]


def utf8(text):
    """Bytes of a header that are not ASCII, as RFC 6532 has them, come as surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8")


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        print(read(file.read()))
