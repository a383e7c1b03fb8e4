//! Which slots of the cache's map belong to one principal.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Mutex, MutexGuard},
};

use foldhash::fast::RandomState;

use super::locked::lock;
use crate::{request::Parameters, scope::Audience};

/// Which slots of the cache's map belong to one principal, by what they are asked for.
///
/// The cache fills it: as long as it is locked, it names just those that the cache has. So what concerns one
/// person visits their slots and no others.
#[derive(Default)]
pub(crate) struct SlotNames(Mutex<Names>);

/// What is named.
pub(crate) enum Names {
    /// A handful, as nearly every person has.
    Few(Vec<(Audience, Parameters)>),
    Many(Box<ByAudience>),
}

type ByAudience = HashMap<Audience, HashSet<Parameters, RandomState>, RandomState>;

/// From so many on they are not searched one after the other.
const MANY: usize = 16;

impl SlotNames {
    /// For as long as the result lives nothing is added or removed by others.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Names> {
        lock(&self.0)
    }
}

impl Names {
    /// Whether there is no slot at all.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(Audience, Parameters)> {
        match self {
            Self::Few(few) => few.clone(),
            Self::Many(many) => many
                .iter()
                .flat_map(|(audience, all)| all.iter().map(|one| (audience.clone(), one.clone())))
                .collect(),
        }
    }

    /// Those of one audience, by their parameters.
    pub(crate) fn of(&self, audience: &Audience) -> Vec<Parameters> {
        match self {
            Self::Few(few) => few
                .iter()
                .filter(|(other, _)| other == audience)
                .map(|(_, parameters)| parameters.clone())
                .collect(),
            Self::Many(many) => many.get(audience).into_iter().flatten().cloned().collect(),
        }
    }

    /// Adds one that is not there.
    pub(crate) fn add(&mut self, audience: &Audience, parameters: &Parameters) {
        if let Self::Few(few) = self {
            if few.len() < MANY {
                few.push((audience.clone(), parameters.clone()));
                return;
            }
            let mut many = Box::new(ByAudience::default());
            for (audience, parameters) in mem::take(few) {
                many.entry(audience).or_default().insert(parameters);
            }
            *self = Self::Many(many);
        }
        if let Self::Many(many) = self {
            let named = many.entry(audience.clone()).or_default();
            named.insert(parameters.clone());
        }
    }

    pub(crate) fn remove(&mut self, audience: &Audience, parameters: &Parameters) {
        match self {
            Self::Few(few) => {
                let is_it =
                    |one: &(Audience, Parameters)| one.0 == *audience && one.1 == *parameters;
                if let Some(position) = few.iter().position(is_it) {
                    few.swap_remove(position);
                }
            }
            Self::Many(many) => {
                if let Some(named) = many.get_mut(audience) {
                    named.remove(parameters);
                    if named.is_empty() {
                        many.remove(audience);
                    }
                }
            }
        }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_are_named_found_and_removed_alike() {
        let names = SlotNames::default();
        let none = Parameters::none();
        let some = none.with("prompt".into(), "none".into());
        for count in [3, 100] {
            let all: Vec<Audience> = (0..count).map(|n| format!("api{n}").into()).collect();
            for audience in &all {
                names.lock().add(audience, &none);
                names.lock().add(audience, &some);
            }
            assert_eq!(names.lock().all().len(), 2 * count);
            assert_eq!(names.lock().of(&all[1]).len(), 2);
            names.lock().remove(&all[1], &none);
            assert_eq!(names.lock().of(&all[1]), std::slice::from_ref(&some));
            names.lock().add(&all[1], &none);
            for audience in &all {
                names.lock().remove(audience, &none);
                names.lock().remove(audience, &some);
            }
            let names = names.lock();
            assert!(names.is_empty() && names.of(&all[0]).is_empty());
        }
    }
}
