//! Rules for every request and every response of both listeners.

use axum::http::header::{CACHE_CONTROL, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Request, Version};

/// Returns true if a request names its host once, as RFC 9112, section 3.2, requires. HTTP/1.0 may leave it out.
///
/// Two of them mean that a proxy in front and this server may see two different requests. hyper accepts both cases. A webhook
/// is exempt: its signature identifies the sender, and providers drop a delivery that is answered 400.
pub(super) fn has_one_host<B>(request: &Request<B>) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    let is_absent_in_http_1_0 = hosts == 0 && request.version() == Version::HTTP_10;
    hosts == 1 || is_absent_in_http_1_0 || is_webhook(request)
}

/// Returns true for `/webhooks/{source}`, also behind a prefix.
fn is_webhook<B>(request: &Request<B>) -> bool {
    request.uri().path().contains("/webhooks/")
}

/// Sets the headers that keep responses out of caches, and browsers from guessing their type.
pub(super) fn set_response_headers(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should fail"
)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_host_is_accepted() {
        for (path, version, hosts, accepted) in [
            ("/health", Version::HTTP_11, &["a"][..], true),
            ("/health", Version::HTTP_11, &[], false),
            ("/health", Version::HTTP_11, &["a", "a"], false),
            ("/health", Version::HTTP_10, &[], true),
            ("/health", Version::HTTP_10, &["a", "b"], false),
            ("/webhooks/merge", Version::HTTP_11, &[], true),
            (
                "/leaver/webhooks/merge/",
                Version::HTTP_11,
                &["a", "b"],
                true,
            ),
        ] {
            let mut request = Request::get(path).version(version);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let request = request.body(()).unwrap();
            assert_eq!(has_one_host(&request), accepted, "{path} {hosts:?}");
        }
    }
}
