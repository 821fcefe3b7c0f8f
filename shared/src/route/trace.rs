//! Why a call went where it went, step by step, for people.

use core::fmt;

use heapless::Vec;

use super::{BlockRule, NumberState, Treatment};
use crate::channels::Full;
use crate::id::IdKey;
use crate::number::Number;
use crate::schedule::{State, Why};

/// Steps there are.
pub const STEPS: usize = 10;

/// What every step found that was asked, in their order.
pub type Trace = Vec<Entry, STEPS>;

/// A step of the precedence. The numbers are those of the published list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Call-back after an emergency call.
    Guard = 0,
    /// State of the number.
    State = 1,
    /// Block list.
    Block = 2,
    /// Channels.
    Channels = 3,
    /// Manual override.
    Override = 4,
    /// Dated exception.
    Exception = 5,
    /// National holiday.
    Holiday = 6,
    /// Weekly hours.
    Weekly = 7,
    /// Ring group.
    Ring = 9,
    /// Nobody answers.
    Unanswered = 10,
}

/// What a step found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing that matters here: the next step is asked.
    Passed,
    /// The terminal of this ID called an emergency number a short while ago.
    CallBack(IdKey),
    /// The number is not in use.
    State(NumberState),
    /// This rule blocks the caller.
    Blocked(BlockRule),
    /// There is no channel.
    Full(Full),
    /// This rule says open or closed.
    Hours(Why, State),
    /// The clock is not set: hours cannot be judged.
    NoClock,
    /// The number has no business hours: always open.
    NoSchedule,
    /// The terminals of this number ring.
    Rings(Number),
    /// What comes then.
    Unanswered(Treatment),
}

/// One line of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The step.
    pub step: Step,
    /// What it found.
    pub finding: Finding,
}

impl Entry {
    /// Did the step decide, or was the next one asked?
    pub const fn matched(&self) -> bool {
        !matches!(
            self.finding,
            Finding::Passed | Finding::NoClock | Finding::NoSchedule
        )
    }

    /// In English: `7 weekly hours: closed`.
    pub fn english(self) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            let step = match self.step {
                Step::Guard => "emergency call-back",
                Step::State => "state of the number",
                Step::Block => "block list",
                Step::Channels => "channels",
                Step::Override => "manual override",
                Step::Exception => "dated exception",
                Step::Holiday => "national holiday",
                Step::Weekly => "weekly hours",
                Step::Ring => "ring group",
                Step::Unanswered => "if nobody answers",
            };
            write!(f, "{} {step}: ", self.step as u8)?;
            match self.finding {
                Finding::Passed => f.write_str("no"),
                Finding::CallBack(key) => write!(f, "the terminal of ID {key} rings first"),
                Finding::State(state) => f.write_str(match state {
                    NumberState::InUse => "in use",
                    NumberState::DirectOff => "switched off (R25)",
                    NumberState::Suspended => "suspended",
                    NumberState::Porting => "not ported yet",
                    NumberState::Unassigned => "not assigned",
                }),
                Finding::Blocked(BlockRule::Number(number)) => write!(f, "{number} is blocked"),
                Finding::Blocked(BlockRule::Prefix(prefix)) => write!(f, "{prefix}... is blocked"),
                Finding::Blocked(BlockRule::Withheld) => f.write_str("withheld numbers are blocked"),
                Finding::Full(Full::Contract) => f.write_str("all of the contract are in use (R15)"),
                Finding::Full(Full::Number) => f.write_str("the number has its most calls (A4)"),
                Finding::Hours(why, state) => {
                    match why {
                        Why::Exception(date) => write!(f, "{date}, ")?,
                        Why::Holiday(holiday) => write!(f, "{}, ", holiday.english())?,
                        Why::Override | Why::Weekly => {}
                    }
                    f.write_str(match state {
                        State::Open => "open",
                        State::Closed => "closed",
                    })
                }
                Finding::NoClock => f.write_str("the time is not known, taken as open"),
                Finding::NoSchedule => f.write_str("none, always open"),
                Finding::Rings(number) => write!(f, "{number} rings"),
                Finding::Unanswered(Treatment::End) => f.write_str("the call ends"),
                Finding::Unanswered(Treatment::Forward(number)) => write!(f, "{number} rings"),
            }
        })
    }

    /// In Japanese: `7 曜日別営業時間: 時間外`.
    pub fn japanese(self) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            let step = match self.step {
                Step::Guard => "緊急通報の呼び返し",
                Step::State => "番号の状態",
                Step::Block => "着信拒否",
                Step::Channels => "チャンネル",
                Step::Override => "手動切替",
                Step::Exception => "特定日",
                Step::Holiday => "祝日",
                Step::Weekly => "曜日別営業時間",
                Step::Ring => "着信グループ",
                Step::Unanswered => "応答がないとき",
            };
            write!(f, "{} {step}: ", self.step as u8)?;
            match self.finding {
                Finding::Passed => f.write_str("該当なし"),
                Finding::CallBack(key) => write!(f, "ID {key} の端末を先に呼び出し"),
                Finding::State(state) => f.write_str(match state {
                    NumberState::InUse => "利用中",
                    NumberState::DirectOff => "直通番号の着信オフ (R25)",
                    NumberState::Suspended => "利用停止中",
                    NumberState::Porting => "番号ポータビリティ切替前",
                    NumberState::Unassigned => "未割当",
                }),
                Finding::Blocked(BlockRule::Number(number)) => write!(f, "{number} を拒否"),
                Finding::Blocked(BlockRule::Prefix(prefix)) => write!(f, "{prefix} で始まる番号を拒否"),
                Finding::Blocked(BlockRule::Withheld) => f.write_str("非通知を拒否"),
                Finding::Full(Full::Contract) => f.write_str("契約の全チャンネルが使用中 (R15)"),
                Finding::Full(Full::Number) => f.write_str("番号の上限まで通話中 (A4)"),
                Finding::Hours(why, state) => {
                    match why {
                        Why::Exception(date) => write!(f, "{date} ")?,
                        Why::Holiday(holiday) => write!(f, "{} ", holiday.japanese())?,
                        Why::Override | Why::Weekly => {}
                    }
                    f.write_str(match state {
                        State::Open => "営業中",
                        State::Closed => "時間外",
                    })
                }
                Finding::NoClock => f.write_str("時刻不明のため営業中とみなす"),
                Finding::NoSchedule => f.write_str("設定なし (常に営業中)"),
                Finding::Rings(number) => write!(f, "{number} の端末を呼び出し"),
                Finding::Unanswered(Treatment::End) => f.write_str("終話"),
                Finding::Unanswered(Treatment::Forward(number)) => write!(f, "{number} の端末を呼び出し"),
            }
        })
    }
}
