//! `cargo x bench box`: the box as a program beside Kamailio.

use crate::build::{cargo, must};
use crate::setup;
use anyhow::{Result, anyhow, ensure};
use hil::load::{self, Cost, Kind, Server};
use hil::run::{Run, figure, target};
use hil::world;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

/// Calls a second at which a call is measured, and how long each time, seconds.
const RATES: [u64; 2] = [1_000, 3_000];
const SECONDS: u64 = 10;
/// Registrations a second.
const REGISTERS: u64 = 2_000;
/// Calls a second while memory is measured; 64 s of them are more than 100,000.
const PLATEAU: u64 = 2_000;
/// Time after which a call's transactions are forgotten (RFC 3261 §17, 64·T1 after the last answer), seconds, rounded up.
const LINGER: u64 = 34;
/// Calls for which the box has room, those that linger among them.
const CALLS: usize = 100_000;

/// Builds what is measured and enters a world of its own.
pub fn run(build: bool) -> Result<ExitCode> {
    if world::inside() {
        world::ip(&["link", "set", "lo", "up"])?;
        return measure();
    }
    setup::ensure()?;
    setup::kamailio()?;
    if build {
        must(cargo().args([
            "build",
            "--quiet",
            "--profile",
            "linux",
            "--package",
            "denwaban-box",
        ]))?;
    }
    world::enter(&["bench", "box"])
}

fn program() -> PathBuf {
    target().join("linux/denwaban-box")
}

fn measure() -> Result<ExitCode> {
    ensure!(
        std::thread::available_parallelism()?.get() >= 2,
        "one core for the server and one for SIPp are needed"
    );
    let run = Run::begin("bench-box")?;
    let start = |kind| Server::start(kind, &program(), CALLS, &run.folder);
    let mut failed = 0;
    let mut told = |name: &str, cost: Cost| {
        failed += cost.failed;
        let Cost {
            done,
            failed,
            repeated,
            user,
            system,
        } = cost;
        run.say(format!(
            "{name}: {done} done, {failed} failed, {repeated} repeated; {user:.1} + {system:.1} us"
        ));
        cost.cpu()
    };
    for rate in RATES {
        let mut cpu = |kind| -> Result<f64> {
            let cost = start(kind)?.calls(rate * SECONDS, rate)?;
            Ok(told(&format!("{kind:?}, {rate} calls/s"), cost))
        };
        let plain = cpu(Kind::Kamailio)?;
        // With digest, one core is not enough for more.
        let auth = (rate == RATES[0]).then(|| cpu(Kind::KamailioAuth)).transpose()?;
        let ours = cpu(Kind::Box)?;
        let tell = |name: &str, value: String, unit| figure(&format!("box.call.{name}.{rate}"), value, unit);
        tell("cpu_us", format!("{ours:.1}"), "us");
        tell("kamailio_cpu_us", format!("{plain:.1}"), "us");
        tell("ratio_kamailio", format!("{:.3}", ours / plain), "ratio");
        if let Some(auth) = auth {
            tell("kamailio_auth_cpu_us", format!("{auth:.1}"), "us");
            tell("ratio_kamailio_auth", format!("{:.3}", ours / auth), "ratio");
        }
    }
    let mut cpu = |kind| -> Result<f64> {
        let cost = start(kind)?.registers(REGISTERS * SECONDS, REGISTERS)?;
        Ok(told(&format!("{kind:?}, {REGISTERS} registrations/s"), cost))
    };
    let (theirs, ours) = (cpu(Kind::KamailioAuth)?, cpu(Kind::Box)?);
    figure("box.register.cpu_us", format_args!("{ours:.1}"), "us");
    figure("box.register.kamailio_cpu_us", format_args!("{theirs:.1}"), "us");
    figure(
        "box.register.ratio_kamailio",
        format_args!("{:.3}", ours / theirs),
        "ratio",
    );

    let server = start(Kind::Box)?;
    failed += memory(&run, server)?;
    figure("box.call.failed", failed, "calls");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        run.say("calls have failed: the figures above are not of one load");
        ExitCode::FAILURE
    })
}

/// Memory of a call, while as many linger as there will ever be, and whether it goes on growing then.
fn memory(run: &Run, mut server: Server) -> Result<u64> {
    let id = server.id();
    let [idle, _] = load::memory(id)?;
    let seconds = LINGER + 64;
    let (cost, plateau) = std::thread::scope(|scope| -> Result<_> {
        let watched = scope.spawn(|| {
            sleep(Duration::from_secs(LINGER));
            load::memory(id)
        });
        let cost = server.calls(PLATEAU * seconds, PLATEAU)?;
        let [plateau, _] = watched.join().map_err(|_| anyhow!("the watcher panicked"))??;
        Ok((cost, plateau))
    })?;
    let [end, peak] = load::memory(id)?;
    let evicted = server.metric("denwaban_transactions_evicted_total")?;
    ensure!(
        evicted == 0,
        "transactions were evicted: {CALLS} calls are too few"
    );
    let transactions = server.metric("denwaban_transactions")?;
    run.say(format!(
        "memory: {idle} bytes idle, {plateau} after {LINGER} s, {end} after {seconds} s, {peak} at most; \
         {transactions} transactions linger"
    ));
    // Those of the last 32 s, and the 100 ms of each that is live.
    let calls = PLATEAU * 32 + PLATEAU / 10;
    figure("box.memory.bytes_per_call", (peak - idle) / calls, "bytes");
    let growth = 100.0 * (end as f64 - plateau as f64) / plateau as f64;
    figure("box.memory.growth_pct", format_args!("{growth:.2}"), "%");
    Ok(cost.failed)
}
