//! A whole run.

use anyhow::{Context as _, Result};

use crate::{
    hits::{self, Hit},
    limits::OneSleep,
    million::{self, Bound, Million},
    minute::{self, Minute},
    options::Options,
    ours::Ours,
    people::{self, Crowded},
    progress,
    rows::Row,
    stampede::{self, Stampede},
    subject::{Group, Subject},
    window::{self, Situation, Window},
};

/// Everything that was measured; what was not asked for is empty.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) hits: Vec<Hit>,
    pub(crate) stampedes: Vec<Stampede>,
    pub(crate) windows: Vec<(Situation, Window)>,
    pub(crate) minute: Option<Minute>,
    pub(crate) million: Vec<Million>,
    pub(crate) bound: Option<Bound>,
    pub(crate) people: Crowded,
}

pub(crate) fn measure(options: &Options) -> Result<Results> {
    let mut results = Results {
        hits: hits::measure(options)?,
        ..Results::default()
    };
    for audiences in [1, 50] {
        stampedes(options, audiences, &mut results.stampedes)?;
    }
    for situation in [Situation::Refresh, Situation::Outage, Situation::Stuck] {
        windows(options, situation, &mut results)?;
    }
    if options.wants("million", million::OURS) {
        let entries = if options.is_quick { 100_000 } else { 1_000_000 };
        progress(&format!("million: {entries} entries"));
        results.million = million::measure(entries)?;
        progress("million: three times as many as fit");
        results.bound = Some(million::bound()?);
    }
    results.people = people::measure(options)?;
    Ok(results)
}

fn subjects() -> Vec<Subject> {
    #[cfg_attr(
        not(feature = "peers"),
        expect(unused_mut, reason = "without peers there is nothing to add")
    )]
    let mut subjects = vec![Subject::of::<Ours>()];
    #[cfg(feature = "peers")]
    subjects.extend(crate::peers::subjects());
    subjects
}

fn stampedes(options: &Options, audiences: usize, found: &mut Vec<Stampede>) -> Result<()> {
    let section = format!("stampede over {audiences}");
    let wanted: Vec<Subject> = subjects()
        .into_iter()
        .filter(|subject| options.wants(&section, subject.name))
        .filter(|subject| audiences == 1 || subject.is_keyed)
        // Retries make some of them last for minutes.
        .filter(|subject| !(options.is_quick && audiences > 1 && subject.group == Group::Peer))
        .collect();
    let floor = (!wanted.is_empty()).then(Subject::of::<OneSleep>);
    for subject in floor.into_iter().chain(wanted) {
        progress(&format!("{section}: {}", subject.name));
        // Some peers need all the patience there is, every time.
        let is_once = options.is_quick || subject.group == Group::Peer;
        let rounds = if is_once { 1 } else { 9 };
        let one = stampede::measure(subject, audiences, rounds);
        found.extend(one.with_context(|| format!("{section}: {}", subject.name))?);
    }
    Ok(())
}

fn windows(options: &Options, situation: Situation, results: &mut Results) -> Result<()> {
    let section = situation.name();
    // What an outage does to ours is measured over a whole minute, below.
    let is_outage = situation == Situation::Outage;
    for subject in subjects() {
        let is_ours = subject.group == Group::Ours;
        let is_left_out = (is_ours && is_outage)
            || (!subject.is_keyed && situation == Situation::Stuck)
            || (!is_ours && options.is_quick && !QUICK_PEERS.contains(&(section, subject.name)));
        if is_left_out || !options.wants(section, subject.name) {
            continue;
        }
        progress(&format!("{section}: {}", subject.name));
        let window = window::measure(subject, situation);
        let window = window.with_context(|| format!("{section}: {}", subject.name))?;
        results.windows.push((situation, window));
    }
    if is_outage && options.wants(section, Subject::of::<Ours>().name) {
        progress("outage: the first minute of intelliauth");
        results.minute = Some(minute::measure()?);
    }
    Ok(())
}

/// The peers that a quick run takes the time for.
const QUICK_PEERS: [(&str, &str); 2] = [
    ("refresh", "azure_identity"),
    ("refresh", "by hand, moka try_get_with"),
];

impl Results {
    /// All of it as rows.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for hit in &self.hits {
            rows.push(Row {
                threads: Some(1),
                median_ns: Some(hit.alone),
                instructions: hit.instructions,
                allocations: Some(hit.allocations),
                ..Row::new(hit.group, hits::SECTION, hit.name)
            });
            rows.push(Row {
                threads: Some(2),
                median_ns: Some(hit.together),
                ..Row::new(hit.group, hits::SECTION, hit.name)
            });
        }
        rows.extend(self.stampedes.iter().map(Stampede::row));
        for (situation, window) in &self.windows {
            rows.push(Row {
                requests: Some(window.requests),
                ..Row::new(window.group, situation.name(), window.name)
            });
        }
        if let Some(minute) = &self.minute {
            let name = "intelliauth, first minute";
            rows.push(Row {
                requests: Some(minute.requests),
                ..Row::new(Group::Ours, "outage", name)
            });
        }
        rows.extend(self.million.iter().flat_map(Million::rows));
        rows.extend(self.people.rows());
        rows
    }
}

impl Stampede {
    fn row(&self) -> Row {
        let section = format!("stampede over {}", self.audiences);
        Row {
            threads: Some(2),
            median_ns: Some(self.milliseconds * 1e6),
            requests: (self.group != Group::Limit).then_some(self.requests),
            ..Row::new(self.group, &section, self.name)
        }
    }
}

impl Million {
    fn rows(&self) -> [Row; 2] {
        [("insert", self.insert_ns), ("hit", self.hit_ns)].map(|(what, figure)| Row {
            threads: Some(1),
            median_ns: Some(figure),
            ..Row::new(self.group, "million", &format!("{}, {what}", self.name))
        })
    }
}
