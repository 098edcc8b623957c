//! `leaver serve --embedded`, as an ordinary user: root's cluster would live in `/var/lib`, outside the test.

use serde_json::json;
use sqlx::{ConnectOptions, Row};

use crate::support::process::{RunningService, as_ordinary_user, wait_until};
use crate::support::{BAMBOOHR_KEY, employee, employees, scratch};

#[tokio::test]
async fn starts_and_stops_its_own_postgres() {
    let room = scratch::open_folder();
    let home = room.path().to_str().unwrap();
    let env = [
        ("XDG_STATE_HOME", home),
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    for start in ["first", "second"] {
        let mut service =
            RunningService::start_command(as_ordinary_user(&["serve", "--embedded"], &env));
        service.wait_until_ready();
        let log = service.process.err();
        let url = log.split_once("url=\"").unwrap().1;
        let url = &url[..url.find('"').unwrap()];
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        let mut conn = options.connect().await.unwrap();
        if start == "first" {
            let one = "INSERT INTO users (email, hashed_password) VALUES ('ana@example.com', 'x')";
            sqlx::raw_sql(one).execute(&mut conn).await.unwrap();
            let fields = json!({"status": "Inactive", "employmentHistoryStatus": "Terminated", "workEmail": "ana@example.com"});
            let body = employees(&[employee(
                "1",
                "2026-01-02T03:04:05+0000",
                &["status"],
                &fields,
            )]);
            let file = room.path().join("ana.json");
            std::fs::write(&file, body.to_string()).unwrap();
            let file = file.to_str().unwrap();
            let args = ["send", "--source", "bamboohr", "--to", &service.url, file];
            crate::support::process::run(&args, &env).succeeded();
        }
        // The second run finds the result of the first one.
        let mut active = true;
        for _ in 0..500 {
            let row = sqlx::query("SELECT is_active FROM users WHERE email = 'ana@example.com'")
                .fetch_one(&mut conn)
                .await;
            active = row.unwrap().get(0);
            if !active {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert!(!active, "still active in the {start} run");
        drop(conn);
        service.stop();
        wait_until("its Postgres is gone", || {
            !room.path().join("leaver/sock/.s.PGSQL.5432").exists()
        });
    }
}

#[tokio::test]
async fn has_example_users_whom_the_example_file_concerns() {
    let room = scratch::open_folder();
    let home = room.path().to_str().unwrap();
    let env = [
        ("XDG_STATE_HOME", home),
        ("BAMBOOHR_WEBHOOK_SECRET", BAMBOOHR_KEY),
        ("LEAVER_LISTEN", "127.0.0.1:0"),
        ("LEAVER_ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let mut service =
        RunningService::start_command(as_ordinary_user(&["serve", "--embedded"], &env));
    service.wait_until_ready();
    let log = service.process.err();
    let url = log.split_once("url=\"").unwrap().1;
    let options: sqlx::postgres::PgConnectOptions = url[..url.find('"').unwrap()].parse().unwrap();
    let mut conn = options.connect().await.unwrap();
    let sql = "SELECT count(DISTINCT u.id), count(s.id) FROM users u LEFT JOIN sessions s ON s.user_id = u.id WHERE u.is_active";
    let row = sqlx::query(sql).fetch_one(&mut conn).await.unwrap();
    let (users, sessions): (i64, i64) = (row.get(0), row.get(1));
    assert!(users >= 9, "{users}");
    assert_eq!(sessions, 2 * users);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/five.json");
    let args = ["send", "--source", "bamboohr", "--to", &service.url, file];
    crate::support::process::run(&args, &env).succeeded();
    let mut gone = 0_i64;
    for _ in 0..500 {
        let sql = "SELECT count(*) FROM users u WHERE NOT u.is_active AND NOT EXISTS (SELECT FROM sessions s WHERE s.user_id = u.id)";
        gone = sqlx::query(sql).fetch_one(&mut conn).await.unwrap().get(0);
        if gone == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(gone, 2);
    drop(conn);
    service.stop();
}
