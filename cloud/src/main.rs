//! `denwaban-cloud`: the cloud PBX and its commands.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use cloud::cli::{self, Cli};
use cloud::refusal::Error;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "info,rmqtt=warn,rmqtt_net=warn,sqlx=warn".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let cli = Cli::parse();
    let lang = cli.lang();
    match cli::run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.text(lang));
            ExitCode::from(match error {
                Error::Order(_) | Error::Refused(_) => 2,
                Error::Failed(_) => 1,
            })
        }
    }
}
