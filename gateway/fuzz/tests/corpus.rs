//! Every input that is kept, among them what was found once, and every message of the SIP core's tests, through each target.

use std::fs;
use std::path::{Path, PathBuf};

/// The inputs in a folder of the sources, in order.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}", folder.display());
    paths
}

#[test]
fn what_is_kept_does_no_harm() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, target) in gateway_fuzz::TARGETS {
        let messages = ["field", "rfc4475"].map(|folder| inputs(&fuzz.join("../sip/tests").join(folder)));
        let kept = inputs(&fuzz.join("corpus").join(name));
        for path in kept.into_iter().chain(messages.into_iter().flatten()) {
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
        }
    }
}
