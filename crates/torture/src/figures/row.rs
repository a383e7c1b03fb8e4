//! One line of the table.

use std::time::Duration;

use serde_json::Value;

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    /// In the JSON.
    pub(super) key: &'static str,
    label: String,
    value: Number,
    goal: Option<Goal>,
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Count(u64),
    Ratio(f64),
    Milliseconds(f64),
}

#[derive(Clone, Copy, Debug)]
enum Goal {
    None,
    ExactlyOne,
    Some,
}

impl Row {
    /// A count that has to be zero.
    pub(super) fn none(key: &'static str, label: &str, count: u64) -> Self {
        Self::new(key, label, Number::Count(count), Some(Goal::None))
    }

    /// A count that must not be zero: a run that strikes nobody shows nothing.
    pub(super) fn some(key: &'static str, label: &str, count: u64) -> Self {
        Self::new(key, label, Number::Count(count), Some(Goal::Some))
    }

    pub(super) fn exactly_one(key: &'static str, label: &str, ratio: f64) -> Self {
        Self::new(key, label, Number::Ratio(ratio), Some(Goal::ExactlyOne))
    }

    pub(super) fn count(key: &'static str, label: &str, count: u64) -> Self {
        Self::new(key, label, Number::Count(count), None)
    }

    pub(super) fn measured(key: &'static str, label: &str, time: Duration) -> Self {
        let milliseconds = time.as_secs_f64() * 1000.0;
        Self::new(key, label, Number::Milliseconds(milliseconds), None)
    }

    fn new(key: &'static str, label: &str, value: Number, goal: Option<Goal>) -> Self {
        let label = label.to_owned();
        Self {
            key,
            label,
            value,
            goal,
        }
    }

    pub(super) fn is_goal(&self) -> bool {
        self.goal.is_some()
    }

    pub(super) fn is_met(&self) -> bool {
        match (self.goal, self.value) {
            (None, _) => true,
            (Some(Goal::None), Number::Count(count)) => count == 0,
            (Some(Goal::Some), Number::Count(count)) => count > 0,
            (Some(Goal::ExactlyOne), Number::Ratio(ratio)) => (ratio - 1.0).abs() < f64::EPSILON,
            (Some(_), _) => false,
        }
    }

    pub(super) fn json(&self) -> Value {
        match self.value {
            Number::Count(count) => count.into(),
            Number::Ratio(number) | Number::Milliseconds(number) => number.into(),
        }
    }

    pub(super) fn write(&self, text: &mut String) {
        let value = match self.value {
            Number::Count(count) => count.to_string(),
            Number::Ratio(ratio) => format!("{ratio:.3}"),
            Number::Milliseconds(milliseconds) => format!("{milliseconds:.1} ms"),
        };
        let goal = match self.goal {
            None => "",
            Some(Goal::None) => "goal 0",
            Some(Goal::ExactlyOne) => "goal 1",
            Some(Goal::Some) => "goal > 0",
        };
        let verdict = match self.goal {
            None => "",
            Some(_) if self.is_met() => "met",
            Some(_) => "MISSED",
        };
        // Writing into a `String` cannot fail.
        let line = format!(
            "  {:<LABEL$} {value:>NUMBER$}  {goal:<8} {verdict}",
            self.label
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

pub(super) const LABEL: usize = 60;
pub(super) const NUMBER: usize = 12;
