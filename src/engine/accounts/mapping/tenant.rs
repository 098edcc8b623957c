//! SQL about the tenant of a row. An id may be unique only together with the tenant, so statements name accounts by both.

use super::columns::{Column, is_text};
use super::quote;

/// The tenant column of the accounts table, if one is mapped.
pub(super) struct TenantSql {
    /// The tenant as text, or null.
    pub(super) text: String,
    column: Option<TenantColumn>,
}

struct TenantColumn {
    name: String,
    is_not_null: bool,
    /// The type with which an index can be used; `None` if the tenant is compared as text only.
    cast: Option<Cast>,
    /// The operator that compares the column with a value of that type.
    equals: String,
    is_citext: bool,
}

struct Cast {
    type_name: String,
    /// The texts of the type, as a regular expression; `None` if any text is one.
    texts: Option<&'static str>,
}

impl TenantSql {
    /// Takes the quoted name of the table, and the column.
    pub(super) fn new(table: &str, column: Option<&Column>) -> Self {
        let column = column.map(|column| TenantColumn {
            name: column.compared(&format!("{table}.{}", quote(&column.name))),
            is_not_null: column.is_not_null,
            cast: cast(column),
            equals: column.operator("="),
            is_citext: column.is_citext(),
        });
        let text = column.as_ref().map_or_else(
            || "NULL::text".to_owned(),
            // Equal means equal in every byte, whatever the collation of the column.
            |column| format!("({}::text COLLATE pg_catalog.\"C\")", column.name),
        );
        Self { text, column }
    }

    pub(super) fn is_mapped(&self) -> bool {
        self.column.is_some()
    }

    /// Returns the column itself, for comparisons that an index supports.
    pub(super) fn key(&self) -> &str {
        self.column.as_ref().map_or("NULL", |column| &column.name)
    }

    /// Returns the condition that a row `a` of the accounts has the tenant `w.tenant`, with an `AND` before it.
    pub(super) fn equals_wanted(&self) -> String {
        let Some(column) = &self.column else {
            return String::new();
        };
        let typed = column.cast.as_ref().map(|cast| {
            let value = format!("w.tenant::{}", cast.type_name);
            let value = cast.texts.map_or(value.clone(), |texts| {
                format!("CASE WHEN w.tenant OPERATOR(pg_catalog.~) '{texts}' THEN {value} END")
            });
            format!(" AND a.leaver_tenant_key {} {value}", column.equals)
        });
        let typed = typed.unwrap_or_default();
        format!("{typed} AND a.leaver_tenant OPERATOR(pg_catalog.=) w.tenant")
    }

    /// Returns the condition that a row is one of the accounts with the ids `$1` and, if a column is mapped, the tenants `$2`.
    pub(super) fn is_named(&self, name: &str, id: &Column) -> String {
        let (kind, equals_id) = (id.compared_type(), id.operator("="));
        let id = id.compared(name);
        let by_id = format!("{id} {equals_id} ANY ($1::text[]::{kind}[])");
        let Some(column) = &self.column else {
            return by_id;
        };
        // Both lists narrow the rows by an index, the pairs decide.
        let by_tenant = column.cast.as_ref().map(|cast| {
            let name = &column.name;
            let or_null = if column.is_not_null {
                String::new()
            } else {
                format!("{name} IS NULL OR ")
            };
            let kind = &cast.type_name;
            let equals = &column.equals;
            format!(" AND ({or_null}{name} {equals} ANY ($2::text[]::{kind}[]))")
        });
        let text = &self.text;
        let equal = format!("leaver_named.tenant OPERATOR(pg_catalog.=) {text}");
        let same_tenant = if column.is_not_null {
            equal
        } else {
            format!("COALESCE({equal}, leaver_named.tenant IS NULL AND {text} IS NULL)")
        };
        // `unnest` of several arrays is syntax. No search path applies to it.
        format!(
            "{by_id}{} AND EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS leaver_named (id, tenant)
                 WHERE leaver_named.id::{kind} {equals_id} {id} AND {same_tenant})",
            by_tenant.unwrap_or_default(),
        )
    }

    /// Returns the expressions by which pages are ordered before the id: of a row `a`, and of the last row before, whose tenant
    /// is `$3`.
    pub(super) fn order(&self) -> (String, String) {
        let cast = self.column.as_ref();
        let cast = cast.filter(|column| column.is_not_null && !column.is_citext);
        match cast.and_then(|column| column.cast.as_ref()) {
            Some(cast) => (
                "a.leaver_tenant_key".to_owned(),
                format!("$3::text::{}", cast.type_name),
            ),
            None => (
                "COALESCE(a.leaver_tenant, '')".to_owned(),
                "COALESCE($3::text, '')".to_owned(),
            ),
        }
    }
}

fn cast(column: &Column) -> Option<Cast> {
    let (type_name, texts) = match column.base_type.as_str() {
        "citext" => (column.compared_type(), None),
        "smallint" | "integer" | "bigint" => {
            ("bigint".to_owned(), Some("^(0|-?[1-9][0-9]{0,17})$"))
        }
        "uuid" => (
            "uuid".to_owned(),
            Some("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
        ),
        base_type if is_text(column) => (base_type.to_owned(), None),
        _ => return None,
    };
    Some(Cast { type_name, texts })
}
