//! A console that shows the past: where the replay stands, and how the operator moves in it.
//!
//! Nothing here reads a recording; `runtime::replay` does, and moves as [`Jog`] says.

use super::figures;
use crate::model::time::{Now, Wall};
use jiff::{civil, tz::TimeZone};

/// Where the replay stands, for the banner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Whether time goes on.
    pub playing: bool,
    /// How fast.
    pub speed: Speed,
    /// When the recording begins.
    pub start: Now,
    /// When the recording ends.
    pub end: Now,
    /// Whether the screen is the one that was seen then, instead of a view of the operator who replays.
    pub as_seen: bool,
}

/// How fast time goes in a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed(usize);

/// Quarters of real time.
const SPEEDS: [u64; 9] = [1, 2, 4, 8, 16, 40, 80, 160, 240];

impl Default for Speed {
    fn default() -> Self {
        Self(2)
    }
}

impl Speed {
    /// The next faster one.
    #[must_use]
    pub fn faster(self) -> Self {
        Self((self.0 + 1).min(SPEEDS.len() - 1))
    }

    /// The next slower one.
    #[must_use]
    pub fn slower(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    fn quarters(self) -> u64 {
        SPEEDS.get(self.0).copied().unwrap_or(4)
    }

    /// Recorded milliseconds that pass in so many real ones.
    pub fn recorded_ms(self, real_ms: u64) -> u64 {
        real_ms.saturating_mul(self.quarters()) / 4
    }
}

impl std::fmt::Display for Speed {
    /// `4x`, `0.5x`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.quarters() {
            whole if whole % 4 == 0 => write!(f, "{}x", whole / 4),
            quarters => write!(f, "{}x", quarters as f64 / 4.0),
        }
    }
}

/// A movement in the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jog {
    /// Time goes on, or stops.
    PlayOrStop,
    /// To the next message that changed something.
    NextChange,
    /// To the one before.
    PreviousChange,
    /// By so many milliseconds of the recording.
    By(i64),
    /// To this moment.
    To(Wall),
    /// To so many milliseconds before the end.
    BeforeEnd(u64),
    /// Faster.
    Faster,
    /// Slower.
    Slower,
    /// The screen as it was seen, or a view of one's own.
    AsSeen,
}

/// `[` and `]` move by this much.
pub const STEP_MS: i64 = 5_000;
/// `{` and `}` move by this much.
pub const MINUTE_MS: i64 = 60_000;

/// What may be typed where a moment is asked for.
pub const MOMENT_FORMS: &str = "14:03, 14:03:22, 2026-11-24 14:03:22, or 90s, 5m, 2h before the end";

/// The movement that a typed moment means: a time of the day is looked for between start and end of the recording.
pub fn moment(text: &str, start: Wall, end: Wall, zone: &TimeZone) -> Result<Jog, String> {
    let text = text.trim();
    let unclear = || format!("\u{201c}{text}\u{201d} is no moment; write {MOMENT_FORMS}.");
    if let Some(ms) = before_end(text.strip_prefix('-').unwrap_or(text)) {
        return Ok(Jog::BeforeEnd(ms));
    }
    let with_date = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let whole = with_date.iter().find_map(|form| civil::DateTime::strptime(form, text).ok());
    if let Some(moment) = whole.and_then(|moment| wall(moment, zone)) {
        return Ok(Jog::To(moment));
    }
    let time =
        ["%H:%M:%S", "%H:%M"].iter().find_map(|form| civil::Time::strptime(form, text).ok()).ok_or_else(unclear)?;
    // The last day of the recording on which that moment lies in it; else the nearest one, and that is its edge.
    let mut day = date(end, zone).ok_or_else(unclear)?;
    for _ in 0..DAYS_MAX {
        let Some(moment) = wall(day.to_datetime(time), zone) else { break };
        if moment <= end {
            return Ok(Jog::To(moment.max(start)));
        }
        day = day.yesterday().map_err(|_| unclear())?;
    }
    Err(unclear())
}

/// A time of day lies at most this many days back: today's may be later than the end.
const DAYS_MAX: usize = 3;

fn before_end(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ms = match unit.trim() {
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

fn wall(moment: civil::DateTime, zone: &TimeZone) -> Option<Wall> {
    Some(Wall(moment.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond()))
}

fn date(at: Wall, zone: &TimeZone) -> Option<civil::Date> {
    Some(jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(zone.clone()).date())
}

impl Replay {
    /// The banner's texts, the longest first.
    pub(crate) fn banners(&self, now: Now, zone: &TimeZone) -> [String; 3] {
        let stamp = |form: &str| {
            jiff::Timestamp::from_millisecond(now.wall.0)
                .map_or_else(|_| "?".to_owned(), |at| at.to_zoned(zone.clone()).strftime(form).to_string())
        };
        let left_ms = self.end.mono.since_ms(now.mono);
        let left = if left_ms == 0 { "the end".to_owned() } else { figures::duration_s(left_ms.div_ceil(1000)) };
        let before = if left_ms == 0 { left.clone() } else { format!("{left} before the end") };
        let pace = if self.playing { self.speed.to_string() } else { "stopped".to_owned() };
        let seen = if self.as_seen { ", as it was seen" } else { "" };
        [
            format!(" replay {}, {before}, {pace}{seen} ", stamp("%Y-%m-%d %H:%M:%S")),
            format!(" replay {}, {before}, {pace} ", stamp("%H:%M:%S")),
            format!(" replay {}, {pace} ", stamp("%H:%M:%S")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Mono;

    /// 2026-11-24 14:00:00 UTC.
    const NOON: i64 = 1_795_528_800_000;

    #[test]
    fn moments_are_found_within_the_recording() {
        let (start, end) = (Wall(NOON - 3_600_000 * 20), Wall(NOON));
        let to = |text: &str| moment(text, start, end, &TimeZone::UTC);
        assert_eq!(to("13:59:30"), Ok(Jog::To(Wall(NOON - 30_000))));
        assert_eq!(to("13:59"), Ok(Jog::To(Wall(NOON - 60_000))));
        assert_eq!(to("20:00"), Ok(Jog::To(Wall(NOON - 18 * 3_600_000))), "yesterday");
        assert_eq!(to("14:30"), Ok(Jog::To(start)), "before the recording: its beginning");
        assert_eq!(to("2026-11-24 13:59:30"), Ok(Jog::To(Wall(NOON - 30_000))));
        assert_eq!(to("2026-11-24T13:59"), Ok(Jog::To(Wall(NOON - 60_000))));
        assert_eq!(
            (to("90s"), to("-5m"), to("2h")),
            (Ok(Jog::BeforeEnd(90_000)), Ok(Jog::BeforeEnd(300_000)), Ok(Jog::BeforeEnd(7_200_000)))
        );
        for wrong in ["", "noon", "25:00", "5", "99999999999999999999s", "-"] {
            assert!(to(wrong).unwrap_err().contains("14:03:22"), "{wrong}");
        }
    }

    #[test]
    fn the_banner_says_where_the_replay_stands() {
        let at = |ms: u64| Now { mono: Mono(ms), wall: Wall(NOON + ms.cast_signed()) };
        let replay = Replay {
            playing: true,
            speed: Speed::default().faster().faster(),
            start: at(0),
            end: at(395_000),
            as_seen: false,
        };
        assert_eq!(
            replay.banners(at(203_000), &TimeZone::UTC)[0],
            " replay 2026-11-24 14:03:23, 3 m 12 s before the end, 4x "
        );
        let stopped = Replay { playing: false, ..replay };
        assert_eq!(stopped.banners(at(395_000), &TimeZone::UTC)[2], " replay 14:06:35, stopped ");
    }

    #[test]
    fn speeds_have_ends() {
        let (mut slow, mut fast) = (Speed::default(), Speed::default());
        for _ in 0..20 {
            (slow, fast) = (slow.slower(), fast.faster());
        }
        assert_eq!(
            (slow.to_string(), fast.to_string(), Speed::default().to_string()),
            ("0.25x".into(), "60x".into(), "1x".into())
        );
        assert_eq!((slow.recorded_ms(400), fast.recorded_ms(100)), (100, 6000));
    }
}
