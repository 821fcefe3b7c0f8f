//! The program as people and scripts use it.

mod operator;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use operator::{PROGRAM, SITE, command, json, office, refused};
use serde_json::Value;

#[test]
fn a_contract_from_nothing_and_a_server_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let out = dir.path().join("factory.bin");
    assert_eq!(
        json(&data, &["contract", "create", "--name", "山田商店"])["contract"],
        1
    );
    assert_eq!(json(&data, SITE)["site"], 1);
    for (direct, extension, label) in [("0312340001", "201", "受付"), ("0312340002", "202", "営業")] {
        let id = json(
            &data,
            &[
                "id",
                "add",
                "--contract",
                "1",
                "--direct",
                direct,
                "--extension",
                extension,
                "--label",
                label,
            ],
        );
        assert_eq!(id["user"], direct);
        assert_eq!(id["password"].as_str().unwrap().len(), 16);
    }
    json(
        &data,
        &[
            "rep",
            "add",
            "--contract",
            "1",
            "--number",
            "03-1234-0000",
            "--label",
            "代表",
            "--members",
            "201,202",
        ],
    );
    let host = "cloud.denwaban.test";
    let made = json(
        &data,
        &[
            "box",
            "create",
            "--site",
            "1",
            "--host",
            host,
            "--out",
            out.to_str().unwrap(),
        ],
    );
    let factory = shared::factory::Factory::decode(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(made["box"], factory.box_id.to_string());
    assert_eq!(
        (factory.cloud_host.as_str(), factory.sip_port, factory.mqtt_port),
        (host, 5060, 1883)
    );
    use std::os::unix::fs::PermissionsExt as _;
    for secret in [&out, &data.join("signing.key")] {
        assert_eq!(
            std::fs::metadata(secret).unwrap().permissions().mode() & 0o077,
            0,
            "{}",
            secret.display()
        );
    }

    // Refusals: the rule and a next step for people, exit status 2 for scripts.
    let refused = command(
        &data,
        &[
            "id",
            "add",
            "--contract",
            "1",
            "--direct",
            "0312340002",
            "--extension",
            "203",
            "--label",
            "x",
        ],
    );
    assert_eq!(refused.status.code(), Some(2));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.starts_with("R11: ") && text.contains("Choose"), "{text}");
    assert_eq!(
        command(&data, &["show", "calls"]).status.code(),
        Some(2),
        "nobody to ask"
    );
    let boxes = json(&data, &["show", "boxes"]);
    assert_eq!(
        (&boxes[0]["online"], &boxes[0]["issued"]),
        (&Value::Null, &Value::from(1))
    );
    for what in ["contracts", "boxes", "registrations", "records"] {
        assert!(
            command(&data, &["show", what]).status.success(),
            "{what} as a table"
        );
        json(&data, &["show", what]);
    }

    // Ports nobody uses: an ephemeral one each, the address one of the loopback.
    let mut serve = Command::new(PROGRAM)
        .args([
            "serve",
            "--sip",
            "127.0.0.1:0",
            "--mqtt",
            "127.0.0.1:0",
            "--carrier",
            "127.0.0.9:5060",
        ])
        .arg("--data")
        .arg(&data)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(serve.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    assert_eq!(json(&data, &["show", "calls"]), Value::Array(Vec::new()));
    let second = command(
        &data,
        &[
            "serve",
            "--sip",
            "127.0.0.1:0",
            "--mqtt",
            "127.0.0.1:0",
            "--carrier",
            "127.0.0.9:5060",
        ],
    );
    assert_eq!(second.status.code(), Some(1), "one server for one data directory");
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&serve),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = serve.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < deadline, "SIGTERM ends it");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "a clean end: {status}");
    assert!(!data.join("control.sock").exists());
}

#[test]
fn a_mistyped_directory_is_no_new_installation() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("typo");
    for args in [
        &["show", "contracts"][..],
        &["site", "create", "--contract", "1"],
        &["rep", "remove", "--number", "0312340000"],
        &["broker-acl", "--out", "x", "--password", "y"],
    ] {
        refused(&data, args, 2, &format!("no installation in {}", data.display()));
    }
    assert!(!data.exists());
    json(&data, &["init", "--realm", "pbx.example"]);
    for (what, words) in [
        ("contracts", "contract: none\n"),
        ("boxes", "box: none\n"),
        ("records", "record: none\n"),
    ] {
        assert_eq!(
            String::from_utf8(command(&data, &["show", what]).stdout).unwrap(),
            words
        );
    }
}

#[test]
fn a_box_and_its_file_come_together_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    let create = |out: &Path| {
        let out = out.to_str().unwrap();
        command(
            &data,
            &[
                "box",
                "create",
                "--site",
                "1",
                "--host",
                "cloud.test",
                "--out",
                out,
            ],
        )
    };
    for bad in [
        dir.path(),
        &dir.path().join("missing/factory.bin"),
        &dir.path().join(".."),
    ] {
        assert!(!create(bad).status.success(), "{}", bad.display());
        assert_eq!(json(&data, &["show", "boxes"]), Value::Array(Vec::new()));
    }
    let out = dir.path().join("factory.bin");
    assert!(create(&out).status.success());
    let first = std::fs::read(&out).unwrap();
    assert_eq!(create(&out).status.code(), Some(2), "the site has its box");
    assert_eq!(std::fs::read(&out).unwrap(), first, "its file is left alone");
    let files: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(files.len(), 2, "nothing is left over: {files:?}");

    let id = json(&data, &["show", "boxes"])[0]["box"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(json(&data, &["box", "remove", "--box", &id])["box"], id);
    assert!(create(&out).status.success());
    assert_ne!(std::fs::read(&out).unwrap(), first);

    let text = String::from_utf8(command(&data, &["show", "boxes"]).stdout).unwrap();
    let row: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[2], "-", "no server, so nobody knows: {text}");
}

#[test]
fn what_is_typed_wrong_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    let id = |extension| {
        [
            "id",
            "set",
            "--contract",
            "1",
            "--label",
            "x",
            "--extension",
            extension,
        ]
    };
    refused(&data, &id("101"), 2, "2 to 6 digits, the first 2 to 9");
    let help = String::from_utf8(command(&data, &["id", "add", "--help"]).stdout).unwrap();
    assert!(help.contains("2 to 6 digits, the first 2 to 9"), "{help}");
    let help = String::from_utf8(command(&data, &["init", "--help"]).stdout).unwrap();
    assert!(
        help.contains("denwaban.example") && help.contains("before the first ID"),
        "{help}"
    );
    let serve = |sip, more: &[&'static str]| {
        [
            &[
                "serve",
                "--carrier",
                "127.0.0.9:5060",
                "--mqtt",
                "127.0.0.1:0",
                "--sip",
                sip,
            ],
            more,
        ]
        .concat()
    };
    refused(&data, &serve("[::1]:5060", &[]), 2, "IPv4 only");
    let both = serve("127.0.0.1:0", &["--broker", "mqtt://127.0.0.1"]);
    refused(&data, &both, 2, "cannot be used with");
    let port = [
        "box",
        "create",
        "--site",
        "1",
        "--host",
        "h",
        "--out",
        "x",
        "--sip-port",
        "0",
    ];
    refused(&data, &port, 2, "1..=65535");

    // A group nobody rings for is made, with a warning (R2); changing its label leaves its members.
    let group = [
        "rep",
        "add",
        "--contract",
        "1",
        "--number",
        "0312340000",
        "--label",
        "代表",
    ];
    let output = command(&data, &group);
    assert!(output.status.success());
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("R2: warning")
    );
    let set = |more: &[&'static str]| [&["rep", "set", "--number", "0312340000"], more].concat();
    let output = command(&data, &set(&["--members", "２０１， 202"]));
    assert_eq!((output.status.success(), output.stderr.len()), (true, 0));
    json(&data, &set(&["--label", "本社"]));
    let rep = &json(&data, &["show", "contracts"])[0]["reps"][0];
    assert_eq!(
        (&rep["label"], &rep["members"]),
        (&"本社".into(), &"201,202".into())
    );
    refused(&data, &set(&[]), 2, "required");
}

/// `show … | head`: a reader that goes away is no failure.
#[test]
fn a_reader_that_has_seen_enough() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    office(&data);
    for args in [&["show", "contracts"][..], &["show", "contracts", "--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(PROGRAM)
            .arg("--data")
            .arg(&data)
            .args(args)
            .env("RUST_LOG", "warn")
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.is_empty(), "{args:?}: {text}");
    }
}
