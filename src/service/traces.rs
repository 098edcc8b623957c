//! Sends recorded spans to a collector as OTLP in JSON over HTTP. A collector that fails delays nothing: spans that wait
//! are dropped and counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use crate::base::metrics::Metrics;
use crate::base::traces::{self, Span, SpanContext};
use crate::config::TracesSettings;
use crate::connect::client;

/// Most spans in a request.
const MAX_SPANS: usize = 512;
/// How long spans are collected for one request.
const COLLECT_FOR: Duration = Duration::from_secs(1);
/// Time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Least time between two log lines about failures.
const PAUSE: Duration = Duration::from_mins(1);

/// Sends spans until stopped, and then those that wait.
pub(super) struct Exporter {
    url: String,
    client: reqwest::Client,
    headers: HeaderMap,
    resource: Value,
    metrics: Arc<Metrics>,
    failed_at: Option<Instant>,
}

impl Exporter {
    /// Builds the exporter.
    ///
    /// # Errors
    /// Returns an error if a header's value cannot be sent, or if TLS cannot be set up.
    pub(super) fn new(settings: &TracesSettings, metrics: Arc<Metrics>) -> anyhow::Result<Self> {
        let path = "/v1/traces";
        let base = settings.endpoint.strip_suffix(path);
        let url = format!("{}{path}", base.unwrap_or(&settings.endpoint));
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &settings.headers {
            let key = format!("traces.headers.{name}: the secret cannot be sent in a header");
            let mut value = HeaderValue::from_str(value.expose_secret()).context(key.clone())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).context(key)?, value);
        }
        let resource = json!({"attributes": [
            attribute("service.name", &"leaver".into()),
            attribute("service.version", &env!("CARGO_PKG_VERSION").into()),
            attribute("service.instance.id", &Uuid::new_v4().to_string().as_str().into()),
        ]});
        Ok(Self {
            client: client::for_url(&url, TIMEOUT)?,
            url,
            headers,
            resource,
            metrics,
            failed_at: None,
        })
    }

    /// Sends what is recorded.
    pub(super) async fn run(mut self, mut spans: mpsc::Receiver<Span>, stop: CancellationToken) {
        let mut batch = vec![];
        while stop
            .run_until_cancelled(spans.recv_many(&mut batch, MAX_SPANS))
            .await
            .is_some_and(|received| received > 0)
        {
            let collect = async {
                while batch.len() < MAX_SPANS {
                    let more = MAX_SPANS - batch.len();
                    if spans.recv_many(&mut batch, more).await == 0 {
                        break;
                    }
                }
            };
            // Neither the time limit nor the stop is a failure.
            let _ = stop
                .run_until_cancelled(timeout(COLLECT_FOR, collect))
                .await;
            self.send(&mut batch).await;
        }
        spans.close();
        spans.recv_many(&mut batch, MAX_SPANS).await;
        self.send(&mut batch).await;
    }

    async fn send(&mut self, batch: &mut Vec<Span>) {
        if batch.is_empty() {
            return;
        }
        let spans: Vec<Value> = batch.iter().map(encode).collect();
        batch.clear();
        let count = spans.len();
        let scope = json!({"name": "leaver", "version": env!("CARGO_PKG_VERSION")});
        let body = json!({"resourceSpans": [
            {"resource": self.resource, "scopeSpans": [{"scope": scope, "spans": spans}]}
        ]});
        let request = self.client.post(&self.url).headers(self.headers.clone());
        let problem = match request.body(body.to_string()).send().await {
            Ok(answer) if answer.status().is_success() => {
                self.metrics.record_spans("sent", count);
                self.failed_at = None;
                return;
            }
            Ok(answer) => format!("status {}", answer.status().as_u16()),
            Err(error) if error.is_timeout() => "no answer".to_owned(),
            Err(error) if error.is_connect() => "cannot connect".to_owned(),
            Err(_) => "the connection broke".to_owned(),
        };
        self.metrics.record_spans("failed", count);
        if self.failed_at.is_none_or(|at| at.elapsed() >= PAUSE) {
            self.failed_at = Some(Instant::now());
            warn!(
                count,
                "traces.export: cannot send spans: {problem}; correct `traces.endpoint` or start the collector"
            );
        }
    }
}

fn attribute(key: &str, value: &traces::Value) -> Value {
    let value = match value {
        traces::Value::Text(text) => json!({ "stringValue": text }),
        // OTLP writes 64-bit integers as texts.
        traces::Value::Number(number) => json!({ "intValue": number.to_string() }),
    };
    json!({"key": key, "value": value})
}

fn encode(span: &Span) -> Value {
    let ids = |context: &SpanContext| json!({"traceId": context.trace_id().to_string(), "spanId": context.span_id()});
    let nanos = |at: chrono::DateTime<chrono::Utc>| {
        at.timestamp_nanos_opt().unwrap_or_default().to_string()
    };
    let attributes = span.attributes.iter();
    let mut encoded = ids(&span.context);
    if let Some(parent) = &span.parent {
        encoded["parentSpanId"] = parent.span_id().into();
    }
    encoded["name"] = span.name.into();
    encoded["kind"] = (span.kind as u8).into();
    encoded["startTimeUnixNano"] = nanos(span.start).into();
    encoded["endTimeUnixNano"] = nanos(span.end).into();
    encoded["attributes"] = attributes
        .map(|(key, value)| attribute(key, value))
        .collect();
    encoded["links"] = span.links.iter().map(ids).collect();
    if span.is_error {
        encoded["status"] = json!({ "code": 2 });
    }
    encoded
}
