//! Names of tenants that a database would fold, cut or keep for itself.

use serde_json::Value;

use crate::database::Database;
use crate::service::Installation;

#[test]
fn a_name_that_a_database_would_take_for_another_makes_nothing_on_sqlite() {
    names(&Installation::embedded(), String::new);
}

#[test]
fn a_name_that_a_database_would_take_for_another_makes_nothing_on_postgres() {
    let database = Database::create();
    let installation = Installation::on(&database);
    installation.done(&["migrate"]);
    let schemas = "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace";
    names(&installation, || database.ask(schemas).unwrap());
}

fn names(installation: &Installation, schemas: impl Fn() -> String) {
    let longest = "a".repeat(63);
    let create = |arguments: &[&str]| installation.json(&[&CREATE[..], arguments].concat(), "");
    create(&["Straße", "--schema", "Case"]);
    create(&["the longest", "--schema", &longest]);
    let before = (list(installation), schemas());

    let (longer, very_long) = (format!("{longest}b"), "n".repeat(101));
    for wrong in [
        // What Postgres or the service keeps for itself, also as a suggestion and in other cases.
        &["public"][..],
        &["public "],
        &["PUBLIC", "--schema", "elsewhere"],
        &["ｐublic", "--schema", "elsewhere"],
        &["tessera"],
        &["Tessera_Public"],
        &["tessera_shared"],
        &["pg_x"],
        &["PG Toast"],
        &["information_schema"],
        &["Information Schema"],
        &["x", "--schema", "public"],
        &["x", "--schema", "Public"],
        &["x", "--schema", "public "],
        &["x", "--schema", "TESSERA"],
        &["x", "--schema", "tessera_public"],
        &["x", "--schema", "tessera_Shared"],
        &["x", "--schema", "pg_x"],
        &["x", "--schema", "PG_catalog"],
        &["x", "--schema", "Information_schema"],
        // What it would fold, cut or read as something else.
        &["x", "--schema", "case"],
        &["x", "--schema", &longer],
        &[&longer],
        &["x", "--schema", "a.b"],
        &["x", "--schema", "a\"b"],
        &["x", "--schema", "a'b"],
        &["x", "--schema", "a;b"],
        &["x", "--schema", "a b"],
        &["x", "--schema", " a"],
        &["x", "--schema", "a\n"],
        &["x", "--schema", "1a"],
        &["x", "--schema", "ä"],
        &["x", "--schema", ""],
        &["a\"b"],
        &["a/b"],
        &["a\\b"],
        &["a\nb"],
        &["pub\u{200b}lic"],
        &[""],
        &[" "],
        &[&very_long, "--schema", "x"],
        // Names and schema names are one namespace, whatever the case.
        &["CASE", "--schema", "elsewhere"],
        &["STRASSE", "--schema", "elsewhere"],
        &["straße"],
        &["The Longest", "--schema", "elsewhere"],
        &["x", "--schema", &longest.to_uppercase()],
    ] {
        let (status, said) = installation.refusal(&[&CREATE[..], wrong].concat(), "");
        assert!(
            matches!(status, Some(1 | 2)),
            "{wrong:?}: {status:?} {said}"
        );
        assert!(said.trim().contains(' '), "{wrong:?}: {said}");
        assert!(!said.contains("panicked"), "{wrong:?}: {said}");
        assert_eq!((list(installation), schemas()), before, "{wrong:?}");
    }

    // What is only unusual is told apart from all others.
    for (arguments, schema) in [
        (&["a.b"][..], "a_b"),
        (
            &["Rock 'n' Roll; DROP SCHEMA public"],
            "rock__n__roll__drop_schema_public",
        ),
        (&["x", "--schema", "User"], "User"),
        (&["y", "--schema", "select"], "select"),
        (&["z", "--schema", "with-hyphen"], "with-hyphen"),
        (&["3M"], "t_3m"),
    ] {
        assert_eq!(create(arguments)["schema"], schema);
    }
    let (status, said) = installation.refusal(&[&CREATE[..], &["a_b"]].concat(), "");
    assert_eq!(status, Some(1), "{said}");
    for name in ["strasse", "STRASSE", "case", "CASE"] {
        let shown = installation.json(&["tenant", "show", name], "");
        assert_eq!(shown["schema"], "Case", "{name}");
    }
}

fn list(installation: &Installation) -> Value {
    installation.json(&["tenant", "list"], "")
}

const CREATE: [&str; 2] = ["tenant", "create"];
