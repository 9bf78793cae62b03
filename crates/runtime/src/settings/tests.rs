use std::{io::Write, net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::*;

const TEST_DEFAULTS: &str = r#"
[server]
listen = "127.0.0.1:1"
port = 1
share = 0.5
verbose = false
names = ["a"]
ports = [1]
wait = "30s"
ca_file = ""
admin_token = ""
url = ""
"#;

#[derive(Debug, Deserialize)]
struct Settings {
    server: Server,
}

#[derive(Debug, Deserialize)]
struct Server {
    listen: SocketAddr,
    port: u16,
    share: f64,
    verbose: bool,
    names: Vec<String>,
    ports: Vec<u16>,
    #[serde(deserialize_with = "duration")]
    wait: Duration,
    #[serde(deserialize_with = "optional")]
    ca_file: Option<PathBuf>,
    admin_token: String,
    url: String,
}

fn layers() -> Layers {
    Layers::new(&[TEST_DEFAULTS])
}

fn env(name: &str, value: &str) -> Layers {
    layers().environment([(name.to_owned(), value.to_owned())])
}

fn with_file(text: &str) -> (Layers, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    (layers().file(Some(file.path().to_owned())), file)
}

fn error(layers: &Layers) -> String {
    load::<Settings>(layers).unwrap_err().to_string()
}

#[test]
fn flags_win_over_environment_over_file_over_defaults_key_by_key() {
    let (layers, _file) =
        with_file("[server]\nport = 2\nshare = 1\nnames = ['file']\nverbose = true");
    let layers = layers
        .environment([
            ("HES__SERVER__SHARE".to_owned(), "0.25".to_owned()),
            ("HES__SERVER__NAMES".to_owned(), "x, y".to_owned()),
        ])
        .flag("server.names", vec!["flag"]);

    let server = load::<Settings>(&layers).unwrap().server;

    assert_eq!(server.listen, "127.0.0.1:1".parse().unwrap());
    assert_eq!((server.port, server.verbose), (2, true));
    assert_eq!(server.share, 0.25);
    assert_eq!(server.names, ["flag"]);
}

#[test]
fn the_environment_is_read_as_the_type_of_the_default() {
    let read = |name: &str, value: &str| load::<Settings>(&env(name, value)).unwrap().server;

    assert_eq!(read("HES__SERVER__PORT", "443").port, 443);
    assert_eq!(read("HES__SERVER__SHARE", "2").share, 2.0);
    assert!(read("HES__SERVER__VERBOSE", "true").verbose);
    assert_eq!(read("HES__SERVER__NAMES", "a,b , c").names, ["a", "b", "c"]);
    assert!(read("HES__SERVER__NAMES", "").names.is_empty());
    assert_eq!(read("HES__SERVER__PORTS", "1,2").ports, [1, 2]);
    assert_eq!(
        read("HES__SERVER__WAIT", "1m 30s").wait,
        Duration::from_secs(90)
    );
    assert_eq!(
        read("HES__SERVER__CA_FILE", "/x/ca.pem").ca_file,
        Some("/x/ca.pem".into())
    );
    // A number where text is wanted stays text.
    assert_eq!(read("HES__SERVER__URL", "42").url, "42");
    assert_eq!(read("HES__SERVER__ADMIN_TOKEN", "true").admin_token, "true");
}

#[test]
fn names_that_are_not_settings_are_left_alone() {
    for name in ["HES_API", "HES_API_TOKEN_FILE", "PATH"] {
        assert!(load::<Settings>(&env(name, "x")).is_ok(), "{name}");
    }
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_one_is_suggested() {
    let (file, path) = with_file("[server]\nlisen = 'x'");
    assert_eq!(
        error(&file),
        format!(
            "unknown setting `server.lisen` in {}; did you mean `server.listen`?",
            path.path().display()
        )
    );
    assert_eq!(
        error(&env("HES__SERVER__VERBOS", "true")),
        "unknown setting `server.verbos` in the environment variable HES__SERVER__VERBOS; \
         did you mean `HES__SERVER__VERBOSE`?"
    );
    assert_eq!(
        error(&env("HES__NOTHING_LIKE_IT_AT_ALL", "true")),
        "unknown setting `nothing_like_it_at_all` in the environment variable HES__NOTHING_LIKE_IT_AT_ALL"
    );
    for unknown in ["[sever]", "[server.listen]\nx = 1", "top = 1"] {
        let (file, _path) = with_file(unknown);
        assert!(error(&file).starts_with("unknown setting `"), "{unknown}");
    }
    assert!(
        error(&layers().flag("server.porr", 1))
            .contains("in the command line; did you mean `server.port`?")
    );
}

#[test]
fn a_wrong_type_is_named_with_its_place_and_what_was_expected() {
    for (text, key, expected) in [
        (
            "[server]\nport = 'x'",
            "server.port",
            "is text; expected a whole number",
        ),
        (
            "[server]\nnames = 'x'",
            "server.names",
            "is text; expected a list",
        ),
        (
            "[server]\nnames = [1]",
            "server.names",
            "is a whole number; expected text",
        ),
        (
            "[server]\nlisten = 1",
            "server.listen",
            "is a whole number; expected text",
        ),
        (
            "server = 1",
            "server",
            "is a plain value; expected a section",
        ),
    ] {
        let (file, path) = with_file(text);
        let expected = format!("setting `{key}` in {} {expected}", path.path().display());
        assert_eq!(error(&file), expected, "{text}");
    }
    assert_eq!(
        error(&env("HES__SERVER__PORT", "many")),
        "setting `server.port` in the environment variable HES__SERVER__PORT is other text; expected a whole number"
    );
}

#[test]
fn a_value_of_the_right_type_that_means_nothing_is_blamed_on_its_key() {
    let layers = env("HES__SERVER__WAIT", "soon").flag("server.port", 2);
    assert_eq!(
        error(&layers),
        "setting `server.wait` in the environment variable HES__SERVER__WAIT is not valid: \
         expected a duration such as `30s`, `5m`, `1h 30m` or `7d`"
    );
    assert!(
        error(&layers.flag("server.wait", "1s").flag("server.port", 70_000))
            .contains("`server.port`")
    );
}

#[test]
fn a_file_that_is_missing_or_not_toml_is_named_without_quoting_it() {
    let missing = layers().file(Some("/nonexistent/hes.toml".into()));
    assert_eq!(
        error(&missing),
        "failed to read the settings file /nonexistent/hes.toml"
    );

    let (file, path) = with_file("[server]\nadmin_token = hunter2\n");
    let error = error(&file);
    assert!(
        error.contains("line 2") && error.contains(&*path.path().to_string_lossy()),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn the_description_shows_values_and_origins_and_no_secret() {
    let layers = env("HES__SERVER__ADMIN_TOKEN", "hunter2")
        .flag("server.ca_file", "/x/ca.pem")
        .flag("server.url", "postgres://hes:hunter2@db/hes");

    let text = describe(&layers).unwrap();

    let has = |line: &str| assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    has("server.admin_token = \"***\"  # HES__SERVER__ADMIN_TOKEN");
    has("server.ca_file = \"/x/ca.pem\"  # command line");
    has("server.url = \"postgres://***@db/hes\"  # command line");
    has("server.port = 1  # default");
    assert!(!text.contains("hunter2"));
}

#[test]
fn the_common_defaults_are_the_defaults_of_their_types() {
    #[derive(Deserialize)]
    struct Common {
        grpc: crate::grpc::Settings,
        telemetry: crate::telemetry::Settings,
        lifecycle: crate::service::Settings,
    }

    let common: Common = load(&Layers::new(&[DEFAULTS])).unwrap();

    assert_eq!(common.grpc, crate::grpc::Settings::default());
    assert_eq!(common.telemetry, crate::telemetry::Settings::default());
    assert_eq!(common.lifecycle, crate::service::Settings::default());
}
