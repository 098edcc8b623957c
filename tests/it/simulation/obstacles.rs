//! Triggers and row level security of the application that keep an account as it is, whatever the service does.

use chrono::{DateTime, TimeDelta, Utc};

use super::ops::{Obstacle, Record};
use super::world::World;

/// The role of the service. The test itself is a superuser.
pub(super) const ROLE: &str = "leaver_simulation";

/// Creates the role, the triggers and the policies. Only the role meets them. The tables of the application must be there.
pub(super) const OBSTACLES: &str = "
    DO $$ BEGIN CREATE ROLE leaver_simulation LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$;
    CREATE TABLE obstacles (email text PRIMARY KEY, kind text NOT NULL);
    GRANT SELECT ON obstacles TO leaver_simulation;
    GRANT SELECT, UPDATE ON users TO leaver_simulation;
    GRANT SELECT, DELETE ON sessions TO leaver_simulation;
    CREATE FUNCTION obstacle_of(changed text) RETURNS text LANGUAGE sql AS $$
        SELECT kind FROM obstacles WHERE email = changed AND current_user = 'leaver_simulation'
    $$;
    ALTER TABLE users ENABLE ROW LEVEL SECURITY;
    CREATE POLICY seen ON users FOR SELECT USING (obstacle_of(email) IS DISTINCT FROM 'hides');
    CREATE POLICY changed ON users FOR UPDATE USING (obstacle_of(email) IS DISTINCT FROM 'locks')
        WITH CHECK (obstacle_of(email) IS DISTINCT FROM 'refuses');
    CREATE FUNCTION obstruct() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        CASE obstacle_of(OLD.email)
            WHEN 'raises' THEN RAISE EXCEPTION 'this row is under legal hold';
            WHEN 'reverts' THEN NEW.is_active := OLD.is_active;
            WHEN 'skips' THEN RETURN NULL;
            ELSE NULL;
        END CASE;
        RETURN NEW;
    END $$;
    CREATE TRIGGER obstruct BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION obstruct();
    CREATE FUNCTION obstruct_late() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF obstacle_of(OLD.email) = 'raises_late' THEN RAISE EXCEPTION 'this row is under legal hold'; END IF;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER obstruct_late AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION obstruct_late();
    CREATE FUNCTION keep_session() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF obstacle_of((SELECT email FROM users WHERE id = OLD.user_id)) = 'keeps_sessions' THEN
            RAISE EXCEPTION 'this session is in use';
        END IF;
        RETURN OLD;
    END $$;
    CREATE TRIGGER keep_session BEFORE DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION keep_session();";

/// The service tries a blocked end again at least this often.
const RETRIED_WITHIN: TimeDelta = TimeDelta::minutes(80);

impl World {
    pub(super) async fn obstruct(&mut self, of: Record, by: Obstacle) {
        let (person, now) = (of.person(), self.now());
        let kind = serde_json::to_value(by).unwrap();
        let kind = kind.as_str().unwrap();
        let begin = format!(
            "INSERT INTO obstacles VALUES ('{person}@example.com', '{kind}')
             ON CONFLICT (email) DO UPDATE SET kind = excluded.kind"
        );
        self.app.sql(&begin).await;
        if by == Obstacle::Hides {
            if let Some(until) = self.hands.obstructed.get_mut(person) {
                until.get_or_insert(now);
            }
            self.hands.hidden.insert(person);
            self.hands.touched.insert(person);
        } else {
            self.shown(person);
            self.hands.obstructed.insert(person, None);
        }
    }

    /// A hidden account can be seen again, by the next comparison at the latest.
    fn shown(&mut self, person: &'static str) {
        if self.hands.hidden.remove(person) {
            self.hands.appeared(person);
        }
    }

    pub(super) async fn permit(&mut self, of: Record) {
        let person = of.person();
        let end = format!("DELETE FROM obstacles WHERE email = '{person}@example.com'");
        self.app.sql(&end).await;
        self.shown(person);
        let now = self.now();
        if let Some(until) = self.hands.obstructed.get_mut(person) {
            until.get_or_insert(now);
        }
    }

    /// No account is protected any more, and the service has had the time to try again.
    pub(super) async fn remove_all_obstacles(&mut self) {
        self.app.sql("DELETE FROM obstacles").await;
        for person in std::mem::take(&mut self.hands.hidden) {
            self.hands.appeared(person);
        }
        if !self.hands.obstructed.is_empty() {
            self.app.advance(RETRIED_WITHIN);
            self.hands.obstructed.clear();
        }
    }

    /// Returns whether an end may be blocked now: the account is protected, or was until a moment ago.
    pub(super) fn may_be_blocked(&self, person: &str, now: DateTime<Utc>) -> bool {
        let obstructed = self.hands.obstructed.get(person);
        obstructed.is_some_and(|until| until.is_none_or(|until| now - until < RETRIED_WITHIN))
    }
}
