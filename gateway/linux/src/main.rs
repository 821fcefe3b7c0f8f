//! `denwaban-box`: the box as a program on Linux. It moves bytes and time between the machine and the gateway, and holds no
//! telephone logic.
#![forbid(unsafe_code)]

mod config;
mod driver;
mod metrics;
mod nor;
mod player;
mod records;
mod room;
mod site;
mod store;
mod streams;
mod tls;
mod trunk;
mod udp;
mod uplink;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use config::Config;

/// The telephone box of an office: the phones' registrar and exchange.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration, TOML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only say whether the configuration is good, and the certificate that it names
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match Config::read(&arguments.config) {
        Ok(config) if arguments.check => config
            .tls
            .as_ref()
            .map_or(Ok(()), |tls| tls::acceptor(tls).map(drop)),
        Ok(config) => {
            log();
            driver::run(config)
        }
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// To the standard error; without time and colours for the journal, which has its own.
fn log() {
    let terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(terminal);
    match terminal {
        true => log.init(),
        false => log.without_time().init(),
    }
}
