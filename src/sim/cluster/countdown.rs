//! The timer on a simulated node that takes a change of its switch back: what the script and systemd do on a real one.

use super::switch::Switch;
use crate::wire::countdown::{Countdown, CountdownTask};
use serde_json::{Value, json};

/// The timer of one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Timer {
    armed: Option<Armed>,
    /// Who ran out last, and whether the change was taken back.
    ran: Option<(String, bool)>,
}

#[derive(Debug, Clone)]
struct Armed {
    countdown: Countdown,
    until_us: u64,
}

impl Timer {
    /// Time has passed: what has run out is taken back.
    pub(super) fn pass(&mut self, switch: &mut Switch, now_us: u64) {
        if let Some(armed) = self.armed.take_if(|armed| now_us >= armed.until_us) {
            let Countdown { id, setting, row, from, to, .. } = &armed.countdown;
            let is_ours = switch.datum(*setting, row.as_str()) == Some(setting.datum(to));
            if is_ours {
                switch.set(*setting, row.as_str(), setting.datum(from));
            }
            self.ran = Some((id.to_string(), is_ours));
        }
    }

    /// The script's words and exit status.
    pub(super) fn carry_out(
        &mut self,
        countdown: &Countdown,
        task: CountdownTask,
        switch: &mut Switch,
        now_us: u64,
    ) -> (String, u32) {
        self.pass(switch, now_us);
        let is_mine = self.armed.as_ref().is_some_and(|armed| armed.countdown.id == countdown.id);
        let Countdown { setting, row, from, to, .. } = countdown;
        let mut change = |from: &str, to: &str| {
            let is_as_seen = switch.datum(*setting, row.as_str()) == Some(setting.datum(from));
            if is_as_seen {
                switch.set(*setting, row.as_str(), setting.datum(to));
            }
            is_as_seen
        };
        let is_done = match task {
            CountdownTask::Look => return (self.look(countdown, switch, now_us), 0),
            CountdownTask::Arm if self.armed.is_none() => {
                let until_us = now_us + u64::from(countdown.after_s) * 1_000_000;
                self.armed = Some(Armed { countdown: countdown.clone(), until_us });
                self.ran = None;
                true
            }
            CountdownTask::Set => is_mine && change(from, to),
            CountdownTask::SetBack => change(to, from),
            CountdownTask::Disarm if is_mine => self.armed.take().is_some(),
            CountdownTask::Arm | CountdownTask::Disarm => false,
        };
        (String::new(), u32::from(!is_done))
    }

    fn look(&self, countdown: &Countdown, switch: &Switch, now_us: u64) -> String {
        let state = match &self.armed {
            Some(Armed { countdown, until_us }) => {
                format!("armed {} {} yes", countdown.id, until_us.saturating_sub(now_us) / 1_000_000)
            }
            None => "idle".to_owned(),
        };
        let ran = self.ran.as_ref().map(|(id, is_back)| {
            let how = if *is_back { "back" } else { "left" };
            format!("ran:{id} {how} 12:00:00\n")
        });
        let Countdown { setting, row, .. } = countdown;
        let found: Vec<Value> =
            switch.datum(*setting, row.as_str()).into_iter().map(|datum| json!({setting.column(): datum})).collect();
        format!("state:{state}\n{}value:{}\nend:\n", ran.unwrap_or_default(), json!([{ "rows": found }]))
    }
}
