"""A mail server for tests. Prints its port, then one line of JSON for each message that was transferred to it.

Its options are one JSON object: host, cert and key, tls (from the first byte) or starttls, user and password.
Recipients decide about answers: busy@ is refused for now, gone@ for good; a message to later@ is accepted at the second attempt.
"""

import asyncio
import json
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

options = json.loads(sys.argv[1])


class Handler:
    def __init__(self):
        self.attempts = 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        name = address.split("@")[0]
        if name == "busy":
            return "451 4.3.0 hush-busy: try again later"
        if name == "gone":
            return "550 5.1.1 hush-gone: no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.attempts += 1
        is_late = any(to.startswith("later@") for to in envelope.rcpt_tos)
        code = 451 if is_late and self.attempts == 1 else 250
        email = message_from_bytes(envelope.content, policy=policy.default)
        report(
            code=code,
            mail_from=envelope.mail_from,
            rcpt_to=envelope.rcpt_tos,
            is_encrypted=server.transport.get_extra_info("ssl_object") is not None,
            user=session.auth_data,
            headers=dict(email.items()),
            text=email.get_content(),
        )
        return f"{code} as the test asks"


def authenticate(server, session, envelope, mechanism, data):
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (
        options["user"].encode(),
        options["password"].encode(),
    )
    return AuthResult(success=is_right, auth_data=options["user"], handled=False)


def report(**fields):
    print(json.dumps(fields), flush=True)


def context():
    if "cert" not in options:
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(options["cert"], options["key"])
    return tls


async def main():
    handler, loop = Handler(), asyncio.get_running_loop()
    settings = {"hostname": "sink.example", "loop": loop}
    if options.get("starttls"):
        settings |= {"tls_context": context(), "require_starttls": True}
    if "user" in options:
        is_plain = "cert" not in options
        settings |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": not is_plain}
    tls = context() if options.get("tls") else None
    if tls:
        settings["auth_require_tls"] = False
    server = await loop.create_server(lambda: SMTP(handler, **settings), options["host"], 0, ssl=tls)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
