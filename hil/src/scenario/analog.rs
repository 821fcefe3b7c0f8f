//! Telephones and FAX machines of the old kind at the box's line sockets, played by the twins.

use super::stage::{Id, Stage, TONES, text};
use crate::baresip::Phone;
use crate::run::{Run, figure};
use crate::tone;
use crate::twin::bell::Burst;
use crate::twin::pair::{Cable, Foreign, Impedance, Wire};
use crate::twin::peer::{self, Display, Fax};
use crate::twin::script::Dialling;
use crate::twin::telephone::Telephone;
use crate::wait::{s, wait_for};
use anyhow::{Context, Result, ensure};
use hil_wire::lines::output;
use std::time::Instant;

/// The tone of the telephone that speaks, Hz; no harmonic of a desk phone's.
const TONE: f64 = 1477.0;
/// Tone of the exchange: dial tone, ring-back and busy tone are made of it, Hz.
const EXCHANGE: f64 = 400.0;

/// The line sockets, from 0.
const PUSH_BUTTON: usize = 0;
const DISPLAY: usize = 1;
const FAX: [usize; 2] = [2, 3];

/// The sets and the IDs of their sockets.
pub(super) struct Sets {
    push_button: Telephone,
    display: Telephone,
    fax: [Telephone; 2],
    ids: Vec<Id>,
}

/// Tells it.
pub fn tell(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    let sets = plug(&mut stage).context("plugging in")?;
    stage.board.on()?;
    stage.configured(Instant::now(), s(20))?;
    stage.start_desk_phones()?;
    show(&mut stage, &sets)?;
    run.say("every step was verified");
    Ok(())
}

/// What the sets can do, with phones A and B registered.
pub(super) fn show(stage: &mut Stage, sets: &Sets) -> Result<()> {
    stage.run.say(
        "in the line sockets: a push-button telephone (204), one with a number display (205), two FAX machines (206, 207)",
    );
    let echo = calls_a_desk_phone(stage, sets).context("the push-button telephone calls phone A")?;
    figure("demo.analog.echo.dbfs", format!("{echo:.1}"), "dBFS");
    calls_by_pulses(stage, sets).context("the same telephone dials with pulses")?;
    is_called(stage, sets).context("phone B calls the telephone with the display")?;
    faxes(stage, sets).context("a FAX page")
}

/// IDs 204 to 207 at the four sockets, each with these flags of its port; the box is off.
fn add(stage: &mut Stage, flags: [&[&str]; 4]) -> Result<Vec<Id>> {
    let mut ids = Vec::new();
    let names = [
        ("0312340004", "電話"),
        ("0312340005", "表示付き電話"),
        ("0312340006", "FAX"),
        ("0312340007", "FAX 2"),
    ];
    for (socket, ((direct, label), flags)) in names.into_iter().zip(flags).enumerate() {
        let (extension, port) = ((204 + socket).to_string(), (socket + 1).to_string());
        let contract = ["--contract", &stage.contract, "--extension", &extension];
        let add = [
            "id", "add", "--direct", direct, "--label", label, "--kind", "adapter",
        ];
        let answer = stage.cloud.order(&[&add[..], &contract].concat())?;
        let plug = ["id", "plug", "--port", &port];
        stage.cloud.order(&[&plug[..], flags, &contract].concat())?;
        ids.push(Id {
            user: text(&answer, "user")?,
            extension: extension.clone(),
            password: text(&answer, "password")?,
        });
    }
    stage.board.plug_lines()?;
    Ok(ids)
}

/// What is plugged into the sockets; the box is off.
pub(super) fn plug(stage: &mut Stage) -> Result<Sets> {
    let ids = add(stage, [&[], &["--number-display"], &["--fax"], &["--fax"]])?;
    let sets = Sets {
        push_button: Telephone::new(1),
        display: Telephone::with_display(2, Display::new()?),
        fax: [Telephone::new(3), Telephone::new(4)],
        ids,
    };
    let mut card = stage.board.lines()?.card();
    card.plug(PUSH_BUTTON, &sets.push_button);
    card.plug(DISPLAY, &sets.display);
    // The display hangs at the end of a long house; FAX machines are 600 Ω.
    card.ports[DISPLAY].pair.condition.cable = Cable::half_millimetre(1.0);
    for (socket, set) in FAX.into_iter().zip(&sets.fax) {
        card.plug(socket, set);
        card.ports[socket].pair.condition.impedance = Impedance::MATCHED;
    }
    drop(card);
    Ok(sets)
}

/// What goes wrong at the lines, and how the box takes it: tests of damaged lines, chips that fail.
pub fn faults(run: &Run) -> Result<()> {
    let mut stage = Stage::build(run)?;
    let sets = plug(&mut stage).context("plugging in")?;
    stage.board.on()?;
    stage.configured(Instant::now(), s(20))?;
    stage.start_desk_phones()?;
    lights(&stage).context("the lights")?;
    line_tests(&mut stage).context("tests of lines")?;
    chips(&mut stage, &sets).context("chips that fail")?;
    run.say("every step was verified");
    Ok(())
}

/// The lights of the box: with the line to the cloud up, cut, and mended.
fn lights(stage: &Stage) -> Result<()> {
    let all = [
        output::LIGHT_UP,
        output::LIGHT_SURVIVAL,
        output::LIGHT_NO_EMERGENCY,
    ];
    let show = |expected: [bool; 3], within| {
        wait_for(&format!("lights {expected:?}"), within, || {
            let card = stage.board.lines().ok()?.card();
            (all.map(|light| card.is_lit(light)) == expected).then_some(())
        })
    };
    // After half a minute of probation.
    show([true, false, false], s(60))?;
    stage.office.internet.cut();
    show([false, true, true], s(30))?;
    stage.office.internet.mend();
    show([false, true, false], s(60))?;
    stage.run.say(
        "lights: green with the line up; amber and red when it is cut; amber alone while it is on trial",
    );
    stage.trunk_up(s(30))
}

/// A line that is in order, and three that are not; then a converter that does not answer.
fn line_tests(stage: &mut Stage) -> Result<()> {
    {
        let mut card = stage.board.lines()?.card();
        card.ports[1].pair.condition.bells = 3.0;
        card.ports[2].pair.condition.leakage[0] = 50_000.0;
        card.ports[3].pair.condition.foreign = Some(Foreign {
            wire: Wire::Ring,
            volts: -40.0,
            hertz: 0.0,
            ohms: 10_000.0,
        });
    }
    for (port, expected) in [
        ("1", "bells: 1"),
        ("2", "bells: 3"),
        ("3", "leaks, "),
        ("4", "foreign voltage, "),
    ] {
        let said = test_line(stage, port)?;
        ensure!(said.contains(expected), "{said:?}, expected {expected:?}");
        stage.run.say(format!("test of a line: {said}"));
    }
    stage.board.lines()?.card().faults.stuck = u32::MAX;
    let said = test_line(stage, "1")?;
    ensure!(said.contains("could not be measured"), "{said:?}");
    stage.board.lines()?.card().faults.stuck = 0;
    let said = test_line(stage, "1")?;
    ensure!(said.contains("bells: 1"), "{said:?}");
    stage
        .run
        .say("with a stuck I2C bus it says so, and goes on when the bus does");
    stage.board.lines()?.card().ports[3].pair.condition.foreign = None;
    Ok(())
}

/// Has a line tested; what the cloud is told.
fn test_line(stage: &Stage, port: &str) -> Result<String> {
    let of_port = format!("port {port}: ");
    let events = || -> Result<Vec<String>> {
        let rows = stage.cloud.show("events")?;
        let texts = rows
            .iter()
            .filter_map(|row| row["text"].as_str().map(ToString::to_string));
        Ok(texts.filter(|text| text.starts_with(&of_port)).collect())
    };
    let before = events()?.len();
    let id = text(&stage.box_row()?, "box")?;
    stage
        .cloud
        .order(&["box", "test-line", "--box", &id, "--port", port])?;
    wait_for("the result of a line's test", s(60), || {
        let events = events().ok()?;
        // The newest comes last.
        (events.len() > before).then(|| events.into_iter().next_back())?
    })
}

/// The chips forget, the clock stops, a SLIC gets too hot: there is speech again afterwards.
fn chips(stage: &mut Stage, sets: &Sets) -> Result<()> {
    let mark = stage.board.log_mark();
    stage.board.lines()?.card().brown_out();
    stage.board.logs(mark, "codec: started again", s(10))?;
    calls_a_desk_phone(stage, sets).context("after a brown-out")?;

    stage.board.lines()?.card().faults.clock_stops = true;
    alarm(stage, "Codec", false)?;
    stage.board.lines()?.card().faults.clock_stops = false;
    alarm(stage, "Codec", true)?;
    calls_a_desk_phone(stage, sets).context("after the clock has stopped")?;

    let set = &sets.push_button;
    stage.erase_recordings()?;
    set.lift();
    set.hears(EXCHANGE, &[], s(5)).context("dial tone")?;
    let mark = stage.a()?.mark();
    set.dial(&stage.ids[0].extension, Dialling::Tone);
    stage.a()?.wait(mark, "CALL_INCOMING", s(10)).context("A rings")?;
    stage.a()?.answer()?;
    stage.a()?.wait(mark, "CALL_ESTABLISHED", s(5))?;
    stage.board.lines()?.card().ports[PUSH_BUTTON].slic.heat(true);
    stage
        .a()?
        .wait(mark, "CALL_CLOSED", s(10))
        .context("a line without feed ends its call")?;
    hang_up(stage, set, PUSH_BUTTON)?;
    let said = test_line(stage, "1")?;
    ensure!(said.contains(" V are too little"), "{said:?}");
    alarm(stage, "BrownOut", false)?;
    stage.board.lines()?.card().ports[PUSH_BUTTON].slic.heat(false);
    let said = test_line(stage, "1")?;
    ensure!(said.contains("bells: 1"), "{said:?}");
    alarm(stage, "BrownOut", true)?;
    calls_a_desk_phone(stage, sets).context("after it was too hot")?;
    stage
        .run
        .say("brown-out, stopped clock, a SLIC too hot: each is noticed, and calls go on afterwards");
    Ok(())
}

/// Waits until the cloud knows of this alarm of a line, or that it is over.
fn alarm(stage: &Stage, name: &str, is_over: bool) -> Result<()> {
    wait_for(&format!("the alarm {name} at the cloud"), s(15), || {
        let rows = stage.cloud.show("events").ok()?;
        let told = |text: &str| text.contains(name) && text.contains("is over") == is_over;
        rows.iter()
            .any(|row| row["text"].as_str().is_some_and(told))
            .then_some(())
    })
}

/// Four telephones talk in two calls: the longest block of the box's audio since its start, in the units of its log.
pub(super) fn busy(stage: &mut Stage) -> Result<u64> {
    let ids = add(stage, [&[]; 4])?;
    let sets: [Telephone; 4] = std::array::from_fn(|socket| Telephone::new(socket as u64 + 1));
    {
        let mut card = stage.board.lines()?.card();
        for (socket, set) in sets.iter().enumerate() {
            card.plug(socket, set);
        }
    }
    stage.board.on()?;
    stage.configured(Instant::now(), s(60))?;
    for (caller, called) in [(0, 1), (2, 3)] {
        sets[caller].lift();
        sets[caller].hears(EXCHANGE, &[], s(60)).context("dial tone")?;
        sets[caller].dial(&ids[called].extension, Dialling::Tone);
        sets[called].rings(s(60))?;
        sets[called].lift();
    }
    for (set, tone) in sets.iter().zip([TONE, TONES[0], TONE, TONES[0]]) {
        set.speak(Some(tone));
    }
    for (set, tone) in sets.iter().zip([TONES[0], TONE, TONES[0], TONE]) {
        set.hears(tone, &[EXCHANGE], s(60)).context("they talk")?;
    }
    sets[0].pause(3_000);
    wait_for("three seconds of talk", s(120), || sets[0].idle().then_some(()))?;
    let log = stage.board.log();
    let longest = log.lines().filter_map(|line| {
        let (_, rest) = line.split_once("audio: longest block ")?;
        rest.split(' ').next()?.parse().ok()
    });
    longest.max().context("the box says nothing of its blocks")
}

/// It dials by DTMF, both hear each other, and little of A's tone comes back to A: its level there, dBFS.
fn calls_a_desk_phone(stage: &mut Stage, sets: &Sets) -> Result<f64> {
    let set = &sets.push_button;
    stage.erase_recordings()?;
    set.lift();
    let dial_tone = set.hears(EXCHANGE, &[], s(5)).context("dial tone")?;
    let extension = stage.ids[0].extension.clone();
    let mark = stage.a()?.mark();
    set.dial(&extension, Dialling::Tone);
    stage.a()?.wait(mark, "CALL_INCOMING", s(10)).context("A rings")?;
    set.hears(EXCHANGE, &[], s(5)).context("ring-back tone")?;
    stage.a()?.answer()?;
    stage.a()?.wait(mark, "CALL_ESTABLISHED", s(5))?;
    let at_set = set
        .hears(TONES[0], &[EXCHANGE, TONES[1]], s(5))
        .context("it hears A")?;
    // Alone for two seconds, A's tone has taught the canceller what it needs.
    let window = tone::RATE as usize / 2;
    let recorded = stage.a()?.recording().map_or(0, |heard| heard.len());
    let heard = wait_for("two seconds of sound at A", s(5), || {
        let heard = stage.a.as_ref()?.recording().ok()?;
        (heard.len() >= recorded + 4 * window).then_some(heard)
    })?;
    let echo = tone::level(&heard[heard.len() - window..], TONES[0]);
    set.speak(Some(TONE));
    let at_a = steadily(stage.a()?, TONE, &[TONES[1], EXCHANGE]).context("A hears it")?;
    set.speak(None);
    stage.run.say(format!(
        "the push-button telephone calls A by DTMF: dial tone at {dial_tone:.1} dBFS; it hears A at {at_set:.1} dBFS, A hears \
         it at {at_a:.1} dBFS; A's echo is at {echo:.1} dBFS"
    ));
    ensure!(echo < -45.0, "A hears itself at {echo:.1} dBFS");
    stage.a()?.hang_up()?;
    set.hears(EXCHANGE, &[TONES[0]], s(5)).context("busy tone")?;
    hang_up(stage, set, PUSH_BUTTON)?;
    Ok(echo)
}

/// A dial with pulses, 10 a second.
fn calls_by_pulses(stage: &mut Stage, sets: &Sets) -> Result<()> {
    let set = &sets.push_button;
    set.lift();
    set.hears(EXCHANGE, &[], s(5)).context("dial tone")?;
    let extension = stage.ids[1].extension.clone();
    let mark = stage.b()?.mark();
    set.dial(&extension, Dialling::Pulse(10));
    stage.b()?.wait(mark, "CALL_INCOMING", s(15)).context("B rings")?;
    set.hang_up();
    stage
        .b()?
        .wait(mark, "CALL_CLOSED", s(10))
        .context("B rings no more")?;
    stage
        .run
        .say("the same telephone dials B with pulses, 10 a second, and gives up");
    stage.all_quiet(s(5))
}

/// The number comes before it rings.
fn is_called(stage: &mut Stage, sets: &Sets) -> Result<()> {
    let set = &sets.display;
    stage.erase_recordings()?;
    let caller = stage.ids[1].extension.clone();
    let mark = stage.b()?.mark();
    stage.b()?.dial(&sets.ids[DISPLAY].extension)?;
    let shown = set.shows(1, s(10)).context("its display")?;
    ensure!(
        shown.split(' ').any(|field| field == format!("02={caller}")),
        "it shows {shown:?}, not {caller}"
    );
    // A host that is slow cuts a ring short now and then; one has to be whole.
    let whole =
        |burst: &Burst| (15.0..17.0).contains(&burst.hertz()) && (900..1100).contains(&burst.milliseconds());
    let burst = wait_for("it rings for a person, with 16 Hz for a second", s(15), || {
        set.rung().into_iter().find(whole)
    })
    .with_context(|| format!("{:?}", set.rung()))?;
    set.forget();
    set.lift();
    stage
        .b()?
        .wait(mark, "CALL_ESTABLISHED", s(5))
        .context("it answers")?;
    set.speak(Some(TONE));
    let at_set = set.hears(TONES[1], &[EXCHANGE, TONES[0]], s(5))?;
    let at_b = steadily(stage.b()?, TONE, &[TONES[0], EXCHANGE]).context("B hears it")?;
    set.speak(None);
    stage.run.say(format!(
        "B calls the telephone with the display: it shows {shown}, rings with {:.1} Hz and {:.0} V; it hears B at \
         {at_set:.1} dBFS, B hears it at {at_b:.1} dBFS",
        burst.hertz(),
        burst.volts()
    ));
    hang_up(stage, set, DISPLAY)?;
    stage.b()?.wait(mark, "CALL_CLOSED", s(5)).map(drop)
}

/// A page from socket to socket, through the box's G.711.
fn faxes(stage: &mut Stage, sets: &Sets) -> Result<()> {
    let [calls, answers] = &sets.fax;
    let (sent, received) = (
        stage.run.folder.join("sent.tif"),
        stage.run.folder.join("received.tif"),
    );
    let page = page();
    peer::write_page(&sent, &page)?;
    let start = Instant::now();
    answers.fax(Fax::receive(&received)?, Some(1));
    calls.lift();
    calls.hears(EXCHANGE, &[], s(5)).context("dial tone")?;
    calls.dial(&sets.ids[FAX[1]].extension, Dialling::Tone);
    calls.fax(Fax::send(&sent)?, None);
    calls.fax_ends(s(120)).context("the sender")?;
    answers.fax_ends(s(30)).context("the receiver")?;
    ensure!(peer::read_page(&received)? == page, "the page has changed");
    stage.run.say(format!(
        "a FAX page of {} rows went from line socket to line socket in {:.0} s, unchanged",
        page.len(),
        start.elapsed().as_secs_f64()
    ));
    figure(
        "demo.analog.fax.s",
        format!("{:.1}", start.elapsed().as_secs_f64()),
        "s",
    );
    stage.all_quiet(s(5))
}

/// A third of an A4 page, no two rows alike.
fn page() -> Vec<[u8; 216]> {
    let row = |n: usize| {
        std::array::from_fn(|at| match at {
            8 => n as u8,
            9 => (n >> 8) as u8,
            _ if (at + n / 4).is_multiple_of(13) => 0x3C,
            _ => 0,
        })
    };
    (0..380).map(row).collect()
}

/// Level of a tone at a desk phone, dBFS, half a second after it is heard: what is measured is full of it.
fn steadily(phone: &Phone, frequency: f64, others: &[f64]) -> Result<f64> {
    phone.hears(frequency, others, s(5))?;
    let begun = phone.recording()?.len();
    wait_for("half a second of sound", s(5), || {
        let heard = phone.recording().ok()?;
        (heard.len() >= begun + tone::RATE as usize / 2).then_some(())
    })?;
    phone.hears(frequency, others, s(5))
}

/// The handset is put down and the line is at rest.
fn hang_up(stage: &mut Stage, set: &Telephone, socket: usize) -> Result<()> {
    set.hang_up();
    wait_for("a line at rest", s(5), || {
        let card = stage.board.lines().ok()?.card();
        (card.ports[socket].line.sensed.abs() < 0.001).then_some(())
    })?;
    // Nobody lifts it again at once: that would be a flash, and the last tone still in the ear.
    set.pause(1_000);
    wait_for("a second on hook", s(10), || set.idle().then_some(()))?;
    set.forget();
    stage.all_quiet(s(5))
}
