//! A journal of each committed transaction, written by the test's own triggers.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;

use super::model::Statement;
use super::ops::Record;
use super::post::Post;
use crate::support::TestApp;

/// Makes the journal. The tables of the service and of the application must be there.
pub(super) const JOURNAL: &str = "
    CREATE TABLE journal (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, xid text NOT NULL DEFAULT pg_current_xact_id()::text,
                          what text NOT NULL, detail jsonb NOT NULL);
    CREATE FUNCTION write_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
    BEGIN
        IF TG_ARGV[0] = 'settled' THEN
            INSERT INTO journal (what, detail) VALUES ('settled', jsonb_build_object(
                'id', OLD.id, 'state', NEW.state, 'signed_at', OLD.signed_at, 'received_at', OLD.received_at));
        ELSIF TG_ARGV[0] = 'link' THEN
            INSERT INTO journal (what, detail) VALUES ('link', jsonb_build_object(
                'employee_id', NEW.employee_id, 'account_id', NEW.account_id));
        ELSE
            INSERT INTO journal (what, detail) VALUES (TG_ARGV[0], to_jsonb(NEW));
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER journal AFTER UPDATE ON users FOR EACH ROW
        WHEN (OLD.is_active <> NEW.is_active) EXECUTE FUNCTION write_down('account');
    CREATE TRIGGER journal AFTER INSERT ON leaver.employees FOR EACH ROW
        WHEN (NEW.account_id IS NOT NULL) EXECUTE FUNCTION write_down('link');
    CREATE TRIGGER journal_of_updates AFTER UPDATE ON leaver.employees FOR EACH ROW
        WHEN (OLD.account_id IS DISTINCT FROM NEW.account_id) EXECUTE FUNCTION write_down('link');
    CREATE TRIGGER journal AFTER INSERT ON leaver.audit FOR EACH ROW EXECUTE FUNCTION write_down('audit');
    CREATE TRIGGER journal AFTER UPDATE ON leaver.deliveries FOR EACH ROW
        WHEN (OLD.state = 'pending' AND NEW.state <> 'pending') EXECUTE FUNCTION write_down('settled');";

/// One line of it.
pub(super) struct Line {
    pub(super) seq: i64,
    pub(super) xid: String,
    pub(super) what: What,
}

pub(super) enum What {
    /// An account was switched.
    Account { id: String, email: String, on: bool },
    /// An employee was linked to an account.
    Link {
        employee_id: String,
        account_id: Option<String>,
    },
    /// A row of the record.
    Audit(Audit),
    /// A delivery was settled.
    Settled(Settled),
}

#[derive(Clone)]
pub(super) struct Audit {
    pub(super) action: String,
    pub(super) employee_id: String,
    pub(super) account_id: Option<String>,
    pub(super) delivery_id: Option<String>,
    pub(super) actor: String,
    pub(super) at: DateTime<Utc>,
}

pub(super) struct Settled {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) signed_at: Option<DateTime<Utc>>,
    pub(super) received_at: DateTime<Utc>,
}

/// A statement that the service has taken in.
pub(super) struct Known {
    pub(super) seq: i64,
    pub(super) xid: String,
    pub(super) body: usize,
    pub(super) of: Record,
    pub(super) statement: Statement,
}

fn text(detail: &Value, name: &str) -> Option<String> {
    detail[name].as_str().map(str::to_owned)
}

fn time(detail: &Value, name: &str) -> Option<DateTime<Utc>> {
    detail[name].as_str()?.parse().ok()
}

/// Reads it from the beginning.
pub(super) async fn read(app: &mut TestApp) -> Vec<Line> {
    let rows = sqlx::query("SELECT seq, xid, what, detail FROM journal ORDER BY seq")
        .fetch_all(&mut app.conn)
        .await
        .unwrap();
    let line = |row: &sqlx::postgres::PgRow| {
        let detail: Value = row.get("detail");
        let what = match row.get("what") {
            "account" => What::Account {
                id: detail["id"].to_string(),
                email: text(&detail, "email").unwrap(),
                on: detail["is_active"].as_bool().unwrap(),
            },
            "link" => What::Link {
                employee_id: text(&detail, "employee_id").unwrap(),
                account_id: text(&detail, "account_id"),
            },
            "audit" => What::Audit(Audit {
                action: text(&detail, "action").unwrap(),
                employee_id: text(&detail, "employee_id").unwrap(),
                account_id: text(&detail, "account_id"),
                delivery_id: text(&detail, "delivery_id"),
                actor: text(&detail, "actor").unwrap(),
                at: time(&detail, "at").unwrap(),
            }),
            _ => What::Settled(Settled {
                id: text(&detail, "id").unwrap(),
                state: text(&detail, "state").unwrap(),
                signed_at: time(&detail, "signed_at"),
                received_at: time(&detail, "received_at").unwrap(),
            }),
        };
        Line {
            seq: row.get("seq"),
            xid: row.get("xid"),
            what,
        }
    };
    rows.iter().map(line).collect()
}

/// What the service has taken in, in order; each statement once, however often it was told.
pub(super) fn known(journal: &[Line], post: &Post) -> Result<Vec<Known>, String> {
    let mut told: HashSet<(usize, DateTime<Utc>)> = HashSet::new();
    let mut known = vec![];
    for line in journal {
        let What::Settled(settled) = &line.what else {
            continue;
        };
        let number = *post.by_delivery.get(&settled.id).ok_or_else(|| {
            format!(
                "delivery {} was processed and never acknowledged",
                settled.id
            )
        })?;
        let body = &post.bodies[number];
        let Some((of, facts)) = &body.says else {
            if settled.state == "processed" {
                return Err(format!("body {number} is no letter and was processed"));
            }
            continue;
        };
        match settled.state.as_str() {
            "processed" => {}
            // The third time that the process died with it in hand; the drain replays it.
            "failed" => continue,
            state => return Err(format!("body {number} is a letter and was {state}")),
        }
        let as_of = body.as_of.or(settled.signed_at);
        let as_of = as_of.ok_or_else(|| format!("body {number} has no time at all"))?;
        if !told.insert((number, as_of)) {
            continue;
        }
        known.push(Known {
            seq: line.seq,
            xid: line.xid.clone(),
            body: number,
            of: *of,
            statement: Statement {
                facts: facts.clone(),
                as_of,
                learned: settled.received_at,
            },
        });
    }
    Ok(known)
}
