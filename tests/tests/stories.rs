//! A thousand random stories. `DENWABAN_SEED` tells one of them again, `DENWABAN_RUNS` says how many are told.

use std::io::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use system_tests::story::tell;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_everything_comes_to_rest() {
    let seeds = match number("DENWABAN_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DENWABAN_RUNS").unwrap_or(1_000),
    };
    let begin = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let (calls, answered, heard, cuts, deaths) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let failed = std::sync::Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match std::panic::catch_unwind(|| tell(seed)) {
                        Ok(told) => {
                            calls.fetch_add(told.calls, Ordering::Relaxed);
                            answered.fetch_add(told.answered, Ordering::Relaxed);
                            heard.fetch_add(told.heard, Ordering::Relaxed);
                            cuts.fetch_add(usize::from(told.excuses.cut), Ordering::Relaxed);
                            let died = told.excuses.box_died || told.excuses.cloud_died;
                            deaths.fetch_add(usize::from(died), Ordering::Relaxed);
                            if !told.faults.0.is_empty() {
                                failed.lock().unwrap().push((seed, told.faults.text()));
                            }
                        }
                        Err(_) => failed.lock().unwrap().push((seed, "  panicked\n".into())),
                    }
                }
            });
        }
    });
    let runs = seeds.end - seeds.start;
    let seconds = begin.elapsed().as_secs_f64();
    // Past the capture of the test harness: the figure is for every run, not only for a failed one.
    let told = writeln!(
        std::io::stdout(),
        "{runs} runs, {calls:?} calls, {answered:?} ends of calls answered, {heard:?} at telephones, {cuts:?} with cuts, {deaths:?} with deaths\n\
         figure sim.runs_per_second {:.1} 1/s",
        runs as f64 / seconds
    );
    assert!(told.is_ok());
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    for (seed, text) in failed.iter().take(20) {
        println!("DENWABAN_SEED={seed}\n{text}");
    }
    assert!(failed.is_empty(), "{} of {runs} runs failed", failed.len());
    // The stories are worth telling: most calls reach somebody, and every kind of fault happens.
    if runs >= 100 {
        assert!(answered.load(Ordering::Relaxed) > calls.load(Ordering::Relaxed) / 4);
        assert!(heard.load(Ordering::Relaxed) as u64 > runs);
        assert!(
            cuts.load(Ordering::Relaxed) as u64 > runs / 4
                && deaths.load(Ordering::Relaxed) as u64 > runs / 8
        );
    }
}
