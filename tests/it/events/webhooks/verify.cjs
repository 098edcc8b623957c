// Verifies requests with the library of npm: one JSON object per line, one word per line.
const { Webhook, WebhookVerificationError } = require("standardwebhooks");

for (const line of require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    const request = JSON.parse(line);
    try {
        const event = new Webhook(request.secret).verify(request.body, request.headers);
        console.log(event.id === request.headers["webhook-id"] ? "verified" : "another id");
    } catch (error) {
        if (!(error instanceof WebhookVerificationError)) throw error;
        console.log("refused");
    }
}
