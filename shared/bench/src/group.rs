//! A group of 64 terminals, half of them desk phones, and the decision who rings: for counting instructions.

use std::error::Error;
use std::hint::black_box;

use shared::site::{Id, Rep, Sys};
use shared::{ContractId, Decision, Facts, IdKey, Number, Site, SiteId, TerminalKind, ring};

const SIZE: u16 = 64;

/// Decides so often. Count only what happens in [`ring_decision`].
pub fn decide(count: u32) -> Result<(), Box<dyn Error>> {
    let (site, called) = site()?;
    site.validate()?;
    let all = site.all();
    let facts = Facts {
        registered: all,
        logged_in: all,
        // Half of the apps.
        foreground: all.iter().skip(1).step_by(4).collect(),
        ..Facts::default()
    };
    let offered = ring_decision(&site, called, &facts).offer.len();
    if offered != usize::from(SIZE) * 3 / 4 {
        return Err(format!("{offered} are offered the call").into());
    }
    for _ in 0..count {
        black_box(ring_decision(black_box(&site), called, &facts));
    }
    Ok(())
}

#[inline(never)]
fn ring_decision(site: &Site, called: Number, facts: &Facts) -> Decision {
    ring(site, called, facts)
}

fn site() -> Result<(Site, Number), Box<dyn Error>> {
    let mut site = Site {
        sys: Sys {
            contract: ContractId(1),
            site: SiteId(1),
            channels: SIZE as u8,
            realm: "denwaban.example".try_into()?,
            ..Sys::default()
        },
        ..Site::default()
    };
    for index in 0..SIZE {
        let direct = Number::parse(&format!("0312340{:03}", index + 1))?;
        let id = Id {
            key: IdKey::new(index).ok_or("no such key")?,
            direct,
            extension: format!("{}", 200 + index).parse()?,
            direct_in: true,
            direct_out: true,
            label: "受付".try_into()?,
            kind: if index % 2 == 0 {
                TerminalKind::Fixed
            } else {
                TerminalKind::App
            },
            outgoing: direct,
            site: site.sys.site,
            port: None,
            phone: None,
        };
        site.ids.push(id).map_err(|_| "too many IDs")?;
    }
    let number = Number::parse("0312340000")?;
    let rep = Rep {
        number,
        label: "代表".try_into()?,
        members: site.all(),
        ring: site.all(),
        sub_cap: None,
    };
    site.reps.push(rep).map_err(|_| "too many groups")?;
    Ok((site, number))
}
