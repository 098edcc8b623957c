//! Text that somebody on the way adds before TLS.

use std::time::Duration;

use super::servers::{ELSEWHERE, refused};
use super::smtp_stub::{self, Script};

#[tokio::test]
async fn text_after_starttls_is_refused() {
    let script = Script {
        offer: "STARTTLS",
        starttls: "220 ready\r\n250-injected\r\n250 AUTH PLAIN\r\n",
        delay: Duration::ZERO,
    };
    let port = smtp_stub::start(ELSEWHERE, script);
    let (paused, error) = refused(&format!("smtp://{ELSEWHERE}:{port}"), "").await;
    // A library that kept the text would wait for TLS until the time limit.
    assert!(
        paused.is_none() && error.contains("TLS failed: the port does not speak TLS"),
        "{error}"
    );
}
