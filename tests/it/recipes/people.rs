//! The rows of each recipe: Ana, who leaves, and others, who must not be affected.

/// The rows of one recipe.
pub(super) struct People {
    /// The heading of the recipe on the page.
    pub(super) recipe: &'static str,
    /// Inserts Ana with one session, and others.
    pub(super) insert: &'static str,
    /// Returns `name access sessions` of each row from the tables themselves. Ana's comes first.
    pub(super) rows: &'static str,
    /// Gives access back to Ana, as an administrator would.
    pub(super) by_hand: &'static str,
}

/// One for each recipe of the page. The tenant of the source is 7.
pub(super) const PEOPLE: [People; 8] = [
    People {
        recipe: "Django",
        insert: "INSERT INTO auth_user VALUES (1, 'ana', 'ana@example.com', true, false),
                                              (2, 'ben', 'ben@example.com', true, false);
                 INSERT INTO authtoken_token VALUES ('a', 1), ('b', 2);",
        rows: "SELECT concat_ws(' ', username, is_active,
                                (SELECT count(*) FROM authtoken_token WHERE user_id = auth_user.id))
               FROM auth_user ORDER BY id",
        by_hand: "UPDATE auth_user SET is_active = true WHERE id = 1",
    },
    People {
        recipe: "Rails with Devise",
        insert: "INSERT INTO users VALUES (1, 'ana@example.com', now(), NULL, now()),
                                          (2, 'ben@example.com', now(), NULL, now());
                 INSERT INTO oauth_access_tokens (resource_owner_id, token) VALUES (1, 'a'), (2, 'b');",
        // A cookie that is remembered counts as a session.
        rows: "SELECT concat_ws(' ', split_part(email, '@', 1), deactivated_at IS NULL,
                                (SELECT count(*) FROM oauth_access_tokens
                                 WHERE resource_owner_id = users.id
                                   AND (revoked_at IS NULL OR remember_created_at IS NOT NULL)))
               FROM users ORDER BY id",
        by_hand: "UPDATE users SET deactivated_at = NULL WHERE id = 1",
    },
    People {
        recipe: "Laravel",
        insert: r"INSERT INTO users (id, email, status, deleted_at)
                  VALUES (1, 'ana@example.com', 'active', NULL), (2, 'ben@example.com', 'invited', NULL),
                         (3, 'ana@example.com', 'active', '2020-01-01');
                  INSERT INTO sessions VALUES ('b', 2, ''), ('d', 3, '');
                  INSERT INTO personal_access_tokens (tokenable_type, tokenable_id, token)
                  VALUES ('App\Models\User', 1, 'a'), ('App\Models\Robot', 1, 'c');",
        rows: r"SELECT concat_ws(' ', split_part(email, '@', 1), status IN ('active', 'invited'),
                                 (SELECT count(*) FROM sessions WHERE user_id = users.id)
                                 + (SELECT count(*) FROM personal_access_tokens
                                    WHERE tokenable_id = users.id AND tokenable_type = 'App\Models\User'))
                FROM users ORDER BY id",
        by_hand: "UPDATE users SET status = 'active' WHERE id = 1",
    },
    People {
        recipe: "Prisma with Auth.js",
        insert: r#"INSERT INTO "User" VALUES ('cm3v0a', 'ana@example.com', NULL, now()),
                                             ('cm3v0b', 'ben@example.com', NULL, now());
                   INSERT INTO "Session" VALUES ('1', 'a', 'cm3v0a', now()), ('2', 'b', 'cm3v0b', now());"#,
        rows: r#"SELECT concat_ws(' ', split_part(email, '@', 1), "disabledAt" IS NULL,
                                  (SELECT count(*) FROM "Session" WHERE "userId" = "User".id))
                 FROM "User" ORDER BY id"#,
        by_hand: r#"UPDATE "User" SET "disabledAt" = NULL WHERE id = 'cm3v0a'"#,
    },
    People {
        recipe: "Supabase",
        insert: "INSERT INTO auth.users (id, email, deleted_at)
                 VALUES ('00000000-0000-4000-8000-000000000001', 'ana@example.com', NULL),
                        ('00000000-0000-4000-8000-000000000002', 'ben@example.com', NULL),
                        ('00000000-0000-4000-8000-000000000003', 'ana@example.com', now());
                 INSERT INTO auth.sessions SELECT gen_random_uuid(), id FROM auth.users;",
        rows: "SELECT concat_ws(' ', split_part(email, '@', 1), banned_until IS NULL,
                                (SELECT count(*) FROM auth.sessions WHERE user_id = users.id))
               FROM auth.users ORDER BY id",
        by_hand: "UPDATE auth.users SET banned_until = NULL WHERE email = 'ana@example.com'",
    },
    People {
        recipe: "Keycloak and similar schemas",
        insert: "INSERT INTO user_entity VALUES ('a', '7', 'ana@example.com', true, NULL),
                                                ('b', '7', 'ben@example.com', true, NULL),
                                                ('c', '8', 'ana@example.com', true, NULL),
                                                ('d', '7', 'ana@example.com', true, 'batch');
                 INSERT INTO offline_user_session SELECT id, '0', id FROM user_entity;",
        rows: "SELECT concat_ws(' ', split_part(email, '@', 1), enabled,
                                (SELECT count(*) FROM offline_user_session WHERE user_id = user_entity.id))
               FROM user_entity ORDER BY id",
        by_hand: "UPDATE user_entity SET enabled = true WHERE id = 'a'",
    },
    People {
        recipe: "Membership per organization",
        insert: "INSERT INTO users VALUES (1, 'ana@example.com'), (2, 'ben@example.com');
                 INSERT INTO memberships VALUES (1, 7, 1, 'member'), (2, 7, 2, 'owner'), (3, 8, 1, 'owner');
                 INSERT INTO sessions (user_id) VALUES (1), (2);",
        // The session belongs to the person, so it is counted beside one membership only.
        rows: "SELECT concat_ws(' ', split_part(email, '@', 1), deactivated_at IS NULL,
                                (SELECT count(*) FROM sessions s WHERE s.user_id = m.user_id AND m.id < 3))
               FROM memberships m JOIN users u ON u.id = m.user_id ORDER BY m.id",
        by_hand: "UPDATE memberships SET deactivated_at = NULL WHERE id = 1",
    },
    People {
        recipe: "View with an INSTEAD OF trigger",
        insert: "INSERT INTO people VALUES (1, 1), (2, 1);
                 INSERT INTO contacts VALUES (1, 'work', 'ana@example.com'), (1, 'home', 'ana@home.example'),
                                             (2, 'work', 'ben@example.com'), (2, 'home', 'ana@example.com');
                 INSERT INTO api_keys (person_id) VALUES (1), (2);",
        rows: "SELECT concat_ws(' ', split_part(address, '@', 1), state = 1,
                                (SELECT count(*) FROM api_keys k WHERE k.person_id = p.id))
               FROM people p JOIN contacts c ON c.person_id = p.id AND kind = 'work' ORDER BY p.id",
        by_hand: "UPDATE people SET state = 1 WHERE id = 1",
    },
];
