//! The program's commands as an operator types them.
#![allow(dead_code, reason = "each test program uses a part")]

use std::path::Path;
use std::process::{Command, Output};

use cloud::db::Db;
use serde_json::Value;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_denwaban-cloud");

/// A site where numbers of 03 can be had.
pub const SITE: &[&str] = &[
    "site",
    "create",
    "--contract",
    "1",
    "--address",
    "東京都千代田区丸の内一丁目",
    "--emergency",
];

pub fn command(data: &Path, args: &[&str]) -> Output {
    Command::new(PROGRAM)
        .arg("--data")
        .arg(data)
        .args(args)
        .env("RUST_LOG", "warn")
        .output()
        .unwrap()
}

pub fn json(data: &Path, args: &[&str]) -> Value {
    let output = command(data, &[args, &["--json"]].concat());
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An office without a server: contract, two IDs, a site.
pub fn office(data: &Path) {
    json(data, &["contract", "create", "--name", "山田商店"]);
    json(data, SITE);
    for (direct, extension) in [("0312340001", "２０１"), ("0312340002", " 202 ")] {
        let id = [
            "id",
            "add",
            "--contract",
            "1",
            "--label",
            "席",
            "--direct",
            direct,
            "--extension",
            extension,
        ];
        json(data, &id);
    }
}

pub fn refused(data: &Path, args: &[&str], status: i32, words: &str) {
    let output = command(data, args);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {text}");
    assert!(text.contains(words), "{args:?}: {text}");
}

/// Runs the program against a server in this process.
pub async fn program(db: &Db, args: &[&str]) -> (bool, String) {
    let output = tokio::process::Command::new(PROGRAM)
        .arg("--data")
        .arg(db.dir())
        .args(args)
        .env("RUST_LOG", "warn")
        .env("LANG", "C")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(if output.status.success() {
        output.stdout
    } else {
        output.stderr
    });
    (output.status.success(), text.unwrap())
}

/// Columns by what stands between two spaces or more.
pub fn columns(line: &str) -> Vec<&str> {
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}
