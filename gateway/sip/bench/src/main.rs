//! Times of reading a message: see the README.
#![forbid(unsafe_code)]

mod speed;

/// Prints times; with `ours <n>` or `httparse <n>` it reads `n` times, for callgrind.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            speed::print();
            Ok(())
        }
        [whose, count] => Ok(speed::repeat(whose, count.parse()?)?),
        _ => Err("nothing, or whose reading and a number".into()),
    }
}
