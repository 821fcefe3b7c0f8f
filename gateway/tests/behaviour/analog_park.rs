//! Park from a telephone at an analog port: flash, the number of the slot, down with the handset.

use super::analog::{is_asked, is_hung_up, talks_to_phone_1};
use super::office::*;
use super::park::{SLOT_1, is_offered_a_slot, parks, stopped, takes};
use super::transfer::talking;
use gateway::MediaOutput;
use media::tone::Tone;

/// Somebody else takes it, or the telephone itself.
#[test]
fn parked_and_taken_again() {
    let mut o = Office::with_telephones(1, 2);
    let dialog = talks_to_phone_1(&mut o);
    o.press_hook(0);
    is_asked(&mut o, &dialog);
    o.press(0, "**01");
    let invite = is_offered_a_slot(&mut o, &dialog, 0);
    o.hears(0);
    o.answer(&invite, 200);
    o.expect(dialog.peer, "ACK");
    assert!(matches!(
        o.media.pop_front(),
        Some(MediaOutput::Hold { player: 0, .. })
    ));
    o.hears_tone(0, Tone::Acceptance);
    o.put_down(0);
    assert!(!o.bell(0));
    // It takes the call again.
    o.lift(0);
    o.press(0, "**01");
    is_asked(&mut o, &dialog);
    stopped(&mut o, 0);
    o.hears_somebody(0, "192.168.1.11:6000");
    // Down with the handset before it is parked: that is done all the same.
    o.press_hook(0);
    is_asked(&mut o, &dialog);
    o.press(0, "**02");
    o.put_down(0);
    let invite = is_offered_a_slot(&mut o, &dialog, 1);
    o.seen.clear();
    o.answer(&invite, 200);
    o.expect(dialog.peer, "ACK");
    o.wait(2_000);
    assert!(!o.bell(0));
    o.media.clear();
    let mut taker = takes(&mut o, 2, "**02", &dialog, "p1");
    o.hang_up(&mut taker, &dialog);
    o.media.clear();
    o.nothing_left();
}

/// The slot is taken: busy, and a flash returns to who is on hold. Or the handset was down already: it rings.
#[test]
fn where_there_is_no_room() {
    for down in [false, true] {
        let mut o = Office::with_telephones(1, 3);
        let (stays, mut leaves) = talking(&mut o, 2, 3, "c1");
        parks(&mut o, &mut leaves, &stays, SLOT_1, 0);
        let dialog = talks_to_phone_1(&mut o);
        o.press_hook(0);
        is_asked(&mut o, &dialog);
        if down {
            o.press(0, "**02");
            o.put_down(0);
            let invite = is_offered_a_slot(&mut o, &dialog, 1);
            o.seen.clear();
            o.answer(&invite, 488);
            o.expect(dialog.peer, "ACK");
            assert!(o.bell(0));
            o.lift(0);
        } else {
            o.press(0, "**01");
            o.hears_tone(0, Tone::Busy);
            o.wait(600);
            o.press_hook(0);
        }
        is_asked(&mut o, &dialog);
        o.hears_somebody(0, "192.168.1.11:6000");
        o.put_down(0);
        is_hung_up(&mut o, &dialog);
        drop(stays);
    }
}
