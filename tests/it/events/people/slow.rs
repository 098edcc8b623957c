//! A mail server that is almost too slow.

use std::time::Duration;

use super::servers::tripped;
use super::smtp_stub::{self, Script};
use super::*;

#[tokio::test]
async fn an_accepted_message_is_sent_whatever_quit_does() {
    // An attempt has 15 s. The unanswered QUIT would exceed them.
    let script = Script {
        offer: "8BITMIME",
        starttls: "",
        delay: Duration::from_millis(14_200),
    };
    let port = smtp_stub::start("127.0.0.1", script);
    let url = format!("smtp://127.0.0.1:{port}");
    let mut app = tripped(&mailbox(&url, "\"it@example.com\"", "")).await;
    send_due(&app, "mail").await;
    assert_eq!(state(&mut app, "mail").await, (None, None));
    assert_eq!(open(&mut app).await, 0);
}
