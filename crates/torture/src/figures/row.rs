//! One line of the table.

use serde_json::Value;

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    /// In the JSON.
    pub(super) key: &'static str,
    label: String,
    pub(super) value: Number,
    pub(super) goal: Option<Goal>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Count(u64),
    Ratio(f64),
    Milliseconds(f64),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    None,
    ExactlyOne,
    Some,
}

impl Row {
    pub(super) fn goal(key: &'static str, label: &str, value: Number, goal: Goal) -> Self {
        let label = label.to_owned();
        Self {
            key,
            label,
            value,
            goal: Some(goal),
        }
    }

    pub(super) fn count(key: &'static str, label: &str, count: u64) -> Self {
        let (label, value) = (label.to_owned(), Number::Count(count));
        Self {
            key,
            label,
            value,
            goal: None,
        }
    }

    pub(super) fn measured(key: &'static str, label: &str, milliseconds: f64) -> Self {
        let (label, value) = (label.to_owned(), Number::Milliseconds(milliseconds));
        Self {
            key,
            label,
            value,
            goal: None,
        }
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

impl Number {
    pub(super) fn json(self) -> Value {
        match self {
            Self::Count(count) => count.into(),
            Self::Ratio(number) | Self::Milliseconds(number) => number.into(),
        }
    }
}

pub(super) const LABEL: usize = 60;
pub(super) const NUMBER: usize = 12;
