use super::mapping::{quote, split_table_name};

#[test]
fn reads_table_names_literally() {
    let cases = [
        ("users", ("public", "users")),
        ("app.users", ("app", "users")),
        (" App.Users ", ("App", "Users")),
        ("\"My App\".\"a.b\"", ("My App", "a.b")),
        ("\"say \"\"hi\"\"\"", ("public", "say \"hi\"")),
    ];
    for (text, (schema, table)) in cases {
        let split = split_table_name(text).unwrap();
        assert_eq!(split, (schema.to_owned(), table.to_owned()), "{text}");
    }
}

#[test]
fn rejects_what_cannot_be_a_table_name() {
    for text in ["", ".", "a.", ".a", "a.b.c", "\"a", "\"a\"b", "a.\"\""] {
        assert!(split_table_name(text).is_err(), "{text}");
    }
}

#[test]
fn an_identifier_cannot_break_out_of_its_quotes() {
    assert_eq!(
        quote("a\"; DROP TABLE users; --"),
        "\"a\"\"; DROP TABLE users; --\""
    );
}
