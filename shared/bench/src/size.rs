//! What the box calls of `shared`, each once, as an image of its own that is linked and weighed but never run.

use core::fmt::Write;
use core::hint::black_box;
use core::panic::PanicInfo;

use heapless::String;
use shared::channels::{Use, admit};
use shared::dial::Present;
use shared::guard::Guard;
use shared::number::{Typed, plan};
use shared::ring::{Call, Ringing, To};
use shared::site::{Section, SectionDecoder, SectionKind, root_hash};
use shared::sync::{
    Ack, AppAck, BatchWriter, Chunk, Event, Get, Hello, Message, MessageError, Nack, RawEvent,
    SignedManifest, Topic,
};
use shared::{Date, Factory, Facts, Local, Number, Privacy, Site, caller_id, dial, ring};

/// The linker keeps what can be reached from here.
#[expect(unsafe_code, reason = "the linker's entry point has this name")]
#[unsafe(no_mangle)]
fn _start(site: &mut Site, facts: &Facts, text: &str, bytes: &[u8], buf: &mut [u8]) {
    numbers(text, Date::from_days(buf.len() as u16));
    calls(site, facts, text);
    configuration(site, bytes, buf);
    black_box(messages(text, bytes, buf)).ok();
}

fn numbers(text: &str, on: Date) {
    black_box(Typed::parse(text)).ok();
    if let (Ok(read), Ok(number)) = (Number::parse(text), Number::from_e164(text)) {
        let mut shown = String::<128>::new();
        write!(shown, "{read} {:#} {}", number.grouped(), number.e164()).ok();
        black_box((shown, plan::classify(number, on), number.area(), read < number));
    }
}

fn calls(site: &Site, facts: &Facts, text: &str) {
    let now = Local::from_unix(text.len() as u64);
    black_box(dial(site, text, Some(now.date))).ok();
    black_box(site.by_user(text));
    let (Ok(number), Some(id)) = (Number::parse(text), site.ids.first()) else {
        return;
    };
    let wish = Present::Rep(1).number(site, id).ok().flatten();
    black_box(caller_id::present(site, id, wish, Privacy::Default)).ok();
    black_box((caller_id::emergency(site, id), site.by_number(number)));
    black_box(admit(site, Use::Outside(number), [Use::Emergency(number)])).ok();
    let mut guard = Guard::new();
    guard.called(0, id.key, number);
    let call = Call {
        to: To::Extension(id.key),
        from: None,
        back_to: guard.caller(1, number),
    };
    let mut ringing = Ringing::new(call);
    black_box((ringing.ask(site, facts), ringing.answer(id.key)));
    black_box(ring(site, number, facts).reason(id.key));
}

fn configuration(site: &mut Site, bytes: &[u8], buf: &mut [u8]) {
    for kind in [
        SectionKind::Sys,
        SectionKind::Ids,
        SectionKind::Credentials,
        SectionKind::Reps,
    ] {
        if let Ok(mut decoder) = SectionDecoder::new(site, kind, kind.schema()) {
            black_box(decoder.push(site, bytes)).ok();
            black_box(decoder.finish()).ok();
        }
    }
    black_box(site.validate()).ok();
    black_box(Factory::decode(bytes)).ok();
    if let Ok((section, _)) = site.encode_section(SectionKind::Ids, buf) {
        let sections: [Section; 1] = [section];
        black_box(root_hash(&sections));
    }
}

/// The box writes what goes up and reads what comes down.
fn messages(text: &str, bytes: &[u8], buf: &mut [u8]) -> Result<(), MessageError> {
    black_box(Topic::parse(text).map(Topic::name));
    black_box(Chunk::decode(bytes)?);
    black_box(AppAck::decode(bytes)?);
    black_box(SignedManifest::decode(bytes)?.manifest()?);
    let event = RawEvent::new(bytes)?.decode()?;
    let encoded = Event::encode(&event, buf)?.len();
    black_box(encoded);
    for message in [
        Hello::decode(bytes)?.encode(buf)?.len(),
        Get::decode(bytes)?.encode(buf)?.len(),
    ] {
        black_box(message);
    }
    black_box((
        Ack::decode(bytes)?.encode(buf)?.len(),
        Nack::decode(bytes)?.encode(buf)?.len(),
    ));
    let mut batch = BatchWriter::new(buf)?;
    batch.push(bytes)?;
    black_box(batch.finish());
    Ok(())
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
