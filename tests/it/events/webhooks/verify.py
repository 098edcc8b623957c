"""Verifies requests with the library of PyPI: one JSON object per line, one word per line."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    request = json.loads(line)
    try:
        event = Webhook(request["secret"]).verify(request["body"], request["headers"])
        print("verified" if event["id"] == request["headers"]["webhook-id"] else "another id")
    except WebhookVerificationError:
        print("refused")
