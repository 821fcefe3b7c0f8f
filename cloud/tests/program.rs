//! The program as people and scripts use it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_denwaban-cloud");

fn command(data: &Path, args: &[&str]) -> Output {
    Command::new(PROGRAM)
        .arg("--data")
        .arg(data)
        .args(args)
        .env("RUST_LOG", "warn")
        .output()
        .unwrap()
}

fn json(data: &Path, args: &[&str]) -> Value {
    let output = command(data, &[args, &["--json"]].concat());
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_contract_from_nothing_and_a_server_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let out = dir.path().join("factory.bin");
    assert_eq!(
        json(&data, &["contract", "create", "--name", "山田商店"])["contract"],
        1
    );
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
    assert_eq!(json(&data, &["site", "create", "--contract", "1"])["site"], 1);
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
    assert!(text.starts_with("R7: ") && text.contains("Choose"), "{text}");
    assert_eq!(
        command(&data, &["show", "calls"]).status.code(),
        Some(2),
        "nobody to ask"
    );
    let boxes = json(&data, &["show", "boxes"]);
    assert_eq!(
        (&boxes[0]["online"], &boxes[0]["issued"]),
        (&Value::Bool(false), &Value::from(1))
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
    let kill = Command::new("kill")
        .args(["-TERM", &serve.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
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
