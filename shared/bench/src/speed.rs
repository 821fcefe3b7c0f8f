//! Times on the machine that builds it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use phonenumber::metadata::DATABASE;
use shared::number::Area;
use shared::number::plan;
use shared::{Date, Number};

const ROUNDS: usize = 30;

/// The shortest of some rounds, per item: what disturbs a round only makes it longer.
fn nanoseconds<T>(items: &[T], mut work: impl FnMut(&T)) -> f64 {
    let shortest = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            items.iter().for_each(&mut work);
            start.elapsed()
        })
        .min();
    shortest.unwrap_or(Duration::MAX).as_nanos() as f64 / items.len() as f64
}

/// Heads in an order that no cache or branch predictor knows (a linear congruential generator).
fn heads() -> Vec<u32> {
    let next = |random: &u64| {
        Some(
            random
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407),
        )
    };
    std::iter::successors(Some(1u64), next)
        .map(|random| ((random >> 33) % 100_000) as u32)
        .take(100_000)
        .collect()
}

/// `shared.area_lookup.ns`: the area of a head.
pub fn area_lookup() {
    let time = nanoseconds(&heads(), |head| {
        black_box(Area::of_head(black_box(*head)));
    });
    println!("figure shared.area_lookup.ns {time:.1} ns");
}

/// `shared.classify.ratio_phonenumber`: reading a text and saying what kind of number it is, ours to theirs, on the same
/// numbers in the forms that people write.
pub fn classify() {
    let Some(today) = Date::new(2026, 11, 1) else {
        return;
    };
    let numbers: Vec<String> = heads()
        .into_iter()
        .take(10_000)
        .flat_map(|head| {
            [
                format!("0{head:05}2345"),
                format!("0{:02}-{:03}-2345", head / 1_000, head % 1_000),
                format!("+81 {head:05}2345"),
                format!("090-{:04}-5678", head % 10_000),
                format!("0120-{:03}-456", head % 1_000),
            ]
        })
        .filter(|text| {
            Number::parse(text).is_ok() && phonenumber::parse(Some(phonenumber::country::JP), text).is_ok()
        })
        .take(10_000)
        .collect();
    let ours = nanoseconds(&numbers, |text| {
        if let Ok(number) = Number::parse(black_box(text)) {
            black_box(plan::classify(number, today));
        }
    });
    let theirs = nanoseconds(&numbers, |text| {
        if let Ok(number) = phonenumber::parse(Some(phonenumber::country::JP), black_box(text)) {
            black_box(number.number_type(&DATABASE));
        }
    });
    println!("figure shared.classify.ns {ours:.1} ns");
    println!("figure shared.classify.phonenumber.ns {theirs:.1} ns");
    println!(
        "figure shared.classify.ratio_phonenumber {:.4} ratio",
        ours / theirs
    );
}
