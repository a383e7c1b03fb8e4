//! Configuration files: what is wrong, where, and how to fix it.

use std::fs;

use intelliauth_emulator::{Api, Application, Config, Emulator, User, sample};

const TENANT: &str = "[tenant]\nname = \"banking\"\norganisation = \"cymmetri\"\n";

fn message(text: &str) -> String {
    Config::from_toml(text).unwrap_err().to_string()
}

/// The message for a configuration that starts with a right `[tenant]` of three lines.
fn after_tenant(text: &str) -> String {
    message(&format!("{TENANT}{text}"))
}

#[test]
fn the_sample_is_right_and_the_same_in_both_forms() {
    let file = Config::from_toml(sample::TOML).unwrap();
    assert_eq!(format!("{file:?}"), format!("{:?}", Config::sample()));
    assert_eq!(file.applications().count(), 4);
    assert_eq!(file.apis().count(), 3);
}

#[test]
fn a_scope_without_a_description_is_a_load_error() {
    let text = r#"
[[api]]
audience = "api.x"
scopes = [
  { scope = "read:x", name = "Read x" },
]
"#;
    assert_eq!(
        after_tenant(text),
        "line 8, column 3: scope `read:x` of API `api.x` has no description; add description = \
         \"...\" (people read it on the consent page)"
    );
}

#[test]
fn a_scope_without_a_name_is_a_load_error() {
    let text = r#"
[[api]]
audience = "api.x"
scopes = [{ scope = "read:x", name = " ", description = "See x" }]
"#;
    assert_eq!(
        after_tenant(text),
        "line 7, column 38: scope `read:x` of API `api.x` has no name; add name = \"...\" (people \
         read it on the consent page)"
    );
}

#[test]
fn unknown_keys_are_errors_that_suggest_the_nearest() {
    let text = "[[application]]\nid = \"app\"\nallow_scopes = []\n";
    assert_eq!(
        after_tenant(text),
        "line 6, column 1: unknown key `allow_scopes` in [[application]]; did you mean \
         `allowed_scopes`?"
    );
    assert_eq!(
        after_tenant("[[apis]]\n"),
        "line 4, column 3: unknown key `apis` in the configuration; did you mean `api`?"
    );
    assert_eq!(
        message("[tenant]\nname = \"a\"\norganisation = \"b\"\nzzz = 1\n"),
        "line 4, column 1: unknown key `zzz` in [tenant]; known are `name`, `organisation`, \
         `issuer_path`, `admin_token`"
    );
}

#[test]
fn unknown_switches_and_choices_are_errors() {
    assert_eq!(
        after_tenant("[switches]\nscope_mod = \"strict\"\n"),
        "line 5, column 1: unknown switch `scope_mod`; did you mean `scope_mode`?"
    );
    assert_eq!(
        after_tenant("[switches]\nscope_mode = \"loose\"\n"),
        "line 5, column 14: unknown variant `loose`, expected `strict` or `permissive`"
    );
    assert_eq!(
        after_tenant("[switches]\nrefresh_grace_covers = \"same\"\n"),
        "line 5, column 24: unknown variant `same`, expected `any_request` or `identical_request`"
    );
    let text = after_tenant("[switches]\naccess_ttl = \"1h\"\n");
    assert!(
        text.starts_with("line 5, column 14: invalid type: string"),
        "{text}"
    );
}

#[test]
fn references_to_what_is_not_there_are_errors() {
    let api = r#"
[[api]]
audience = "api.x"
scopes = [{ scope = "read:x", name = "Read x", description = "See x" }]
[[application]]
id = "app"
type = "service"
secret = "sample-secret"
"#;
    assert_eq!(
        after_tenant(&format!(
            "{api}allowed_scopes = [\"read:x\",\n  \"write:x\"]\n"
        )),
        "line 13, column 3: application `app` names the scope `write:x`, which no API has; add it \
         to the scopes of an API"
    );
    assert_eq!(
        after_tenant(&format!("{api}allowed_audiences = [\"api.y\"]\n")),
        "line 12, column 22: application `app` names the audience `api.y`, which no API has; did \
         you mean `api.x`? Else add an API with it"
    );
    assert_eq!(
        after_tenant(&format!("{api}audience = \"api.x\"\n")),
        "line 12, column 12: application `app` has the audience `api.x` and may not call it; add \
         it to allowed_audiences"
    );
}

#[test]
fn missing_and_mistyped_values_are_errors() {
    assert_eq!(
        message(""),
        "line 1, column 1: there is no [tenant]; add [tenant] with name = \"...\" and \
         organisation = \"...\""
    );
    assert_eq!(
        message("[tenant]\nname = \"a\"\n"),
        "line 1, column 1: [tenant] has no `organisation`; add organisation = \"...\""
    );
    assert_eq!(
        message("[tenant]\nname = 1\n"),
        "line 2, column 8: `name` must be a string in quotes, and is of type integer"
    );
    assert_eq!(
        after_tenant("[[application]]\nid = \"app\"\ntype = \"daemon\"\n"),
        "line 6, column 8: unknown type `daemon`; use one of `service`, `web`, `native`, `browser`"
    );
    assert_eq!(
        after_tenant("[[application]]\nid = \"app\"\ntype = \"service\"\n"),
        "line 4, column 1: application `app` has no secret; add secret = \"...\""
    );
    assert_eq!(
        after_tenant("[[application]]\nid = \"app\"\ntype = \"native\"\nenabled = 1\n"),
        "line 7, column 11: `enabled` must be true or false, and is of type integer"
    );
    assert_eq!(
        after_tenant("[[application]]\nid = \"app\"\ntype = \"native\"\ntoken_lifetime = \"1h\"\n"),
        "line 7, column 18: `token_lifetime` must be a whole number of seconds, and is of type \
         string"
    );
    assert_eq!(
        after_tenant("[api]\naudience = \"api.x\"\n"),
        "line 4, column 1: `api` must be an array of tables, [[api]] or [{ .. }], and is of type \
         table"
    );
    let text = after_tenant("[[api]\n");
    assert!(text.starts_with("line 4, column 7: not TOML: "), "{text}");
}

#[test]
fn names_are_given_once() {
    let twice = "[[api]]\naudience = \"api.x\"\n[[api]]\naudience = \"api.x\"\n";
    assert_eq!(
        after_tenant(twice),
        "line 7, column 12: `api.x` is there twice; give each api its own audience"
    );
    let scope = "{ scope = \"a\", name = \"A\", description = \"A\" }";
    let twice = format!("[[api]]\naudience = \"api.x\"\nscopes = [\n{scope},\n{scope}]\n");
    assert_eq!(
        after_tenant(&twice),
        "line 8, column 11: scope `a` of API `api.x` is there twice; drop one"
    );
}

#[test]
fn other_rules_name_their_fix() {
    assert_eq!(
        message("[tenant]\nname = \"a b\"\norganisation = \"c\"\n"),
        "line 2, column 8: `a b` is not a valid slug; use letters, digits and hyphens"
    );
    assert_eq!(
        after_tenant("issuer_path = \"tenants/a/\"\n"),
        "line 4, column 15: `tenants/a/` is not a valid issuer path; write it like \"/tenants/a\""
    );
    assert_eq!(
        after_tenant("admin_token = \"\"\n"),
        "line 4, column 15: the admin token is empty; leave it out to get a random one"
    );
    assert_eq!(
        after_tenant("[[application]]\nid = \"app\"\ntype = \"native\"\nsecret = \"s\"\n"),
        "line 7, column 10: application `app` is on people's devices and cannot keep a secret; \
         drop the secret or use type = \"web\""
    );
    assert_eq!(
        after_tenant("[[user]]\nid = \"usr\"\nemail = \"alice\"\npassword = \"p\"\n"),
        "line 6, column 9: user `usr` has the email `alice`, which has no `@`; correct it"
    );
    let scope = "{ scope = \"openid\", name = \"A\", description = \"A\" }";
    let text = after_tenant(&format!(
        "[[api]]\naudience = \"api.x\"\nscopes = [{scope}]\n"
    ));
    assert!(
        text.starts_with("line 6, column 21: `openid` cannot be a scope of an API"),
        "{text}"
    );
}

#[test]
fn a_file_is_named_in_its_errors() {
    let directory = std::env::temp_dir().join(format!("emulator-config-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("tenant.toml");
    fs::write(&file, "[tenant]\nnmae = \"a\"\n").unwrap();
    let error = Config::from_file(&file).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}:2:1: unknown key `nmae` in [tenant]; did you mean `name`?",
            file.display()
        )
    );
    assert_eq!((error.line(), error.column()), (Some(2), Some(1)));
    assert!(error.message().starts_with("unknown key"));
    fs::write(&file, sample::TOML).unwrap();
    assert!(Config::from_file(&file).is_ok());
    fs::remove_dir_all(&directory).unwrap();
    let gone = Config::from_file(&file).unwrap_err().to_string();
    assert!(
        gone.starts_with(&format!("{}: cannot be read: ", file.display())),
        "{gone}"
    );
}

#[tokio::test]
async fn a_configuration_built_in_code_is_checked_at_the_start() {
    let config = Config::new("a", "b")
        .api(Api::new("api.x").scope("read:x", "Read x", ""))
        .application(Application::service("app", "s").allow_scopes(["read:x"]))
        .user(
            User::new("usr", "alice@x.example", "sample-password")
                .name("Alice")
                .disabled(),
        );
    let error = config.check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "api[0].scopes[0].description: scope `read:x` of API `api.x` has no description; add \
         description = \"...\" (people read it on the consent page)"
    );
    assert_eq!(error.line(), None);
    let error = Emulator::start(config).await.unwrap_err();
    assert_eq!(error.to_string(), "the configuration is wrong");
}
