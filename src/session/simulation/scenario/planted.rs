//! What is there before a schedule begins: a record of an older version, or of a newer one.

use super::Schedule;
use crate::session::simulation::{
    AUDIENCES, CLIENT_ID, ISSUER,
    executor::WORLD,
    issuer::{Attempt, NewFamily, Request, subject},
    people::{Expected, SignIn, SignInEnd},
    session_name,
};

impl Schedule {
    pub(super) fn plant(&self) {
        if self.world.settings.has_older_record {
            let has_lost_answer = self.draw(|random| random.percent(60));
            self.plant_older(has_lost_answer);
        } else if self.world.settings.has_newer_record {
            self.plant_newer();
        }
    }

    /// The first session is a newer version's: it is left as it is, whatever is asked of it.
    fn plant_newer(&self) {
        let (world, now) = (&self.world, self.world.now());
        world.with(|state| {
            state.shelf.plant(0, NEWER.as_bytes().to_vec(), now);
            state.people.is_of_newer(0);
        });
        world.note(|| "s0 is of a newer version".to_owned());
    }

    /// The first session was signed in to, and perhaps redeemed for, by an older version of this crate.
    fn plant_older(&self, has_lost_answer: bool) {
        let (world, now, session) = (&self.world, self.world.now(), 0);
        let covers: Vec<String> = AUDIENCES.iter().map(ToString::to_string).collect();
        world.with(|state| {
            let name = state.families.found(NewFamily {
                session,
                person: 0,
                sign_in: 0,
                covers: covers.clone(),
            });
            state.families.all[name.family].is_older = has_lost_answer;
            if has_lost_answer {
                state.families.attempts.push(Attempt {
                    process: WORLD,
                    name,
                    request: Request::unknown(),
                    asked: Request::unknown(),
                    sent: now,
                    is_in_outage: false,
                    processed: None,
                    told: None,
                    given_up: Some(now),
                    excuse: None,
                    is_without_lock: false,
                });
            }
            state.people.begin(session);
            state.people.sign_ins.push(SignIn {
                session,
                person: 0,
                process: WORLD,
                family: Some(name.family),
                audiences: covers,
                known: Vec::new(),
                is_named: true,
                same_person: false,
                began: now,
                ended: Some((now, SignInEnd::Kept)),
            });
            let end = (WORLD, SignInEnd::Kept, now);
            state
                .people
                .end_sign_in(session, end, |_| Expected::SignedIn(vec![0]));
            let record = older_record(session, u32::from(has_lost_answer));
            state.shelf.plant(session, record.into_bytes(), now);
        });
        world.note(|| format!("s{session} is of an older version, lost: {has_lost_answer}"));
    }
}

/// A record of a form that is to come.
pub(crate) const NEWER: &str =
    r#"{"version":99,"write":"00000000000000aa","signed_in":"otherwise"}"#;

/// A record of the form before this one, in which everything is covered.
fn older_record(session: usize, unanswered: u32) -> String {
    let covers = AUDIENCES.iter().map(|audience| {
        format!(r#""{audience}":{{"granted":"read:{audience} write:{audience}"}}"#)
    });
    let covers: Vec<_> = covers.collect();
    format!(
        r#"{{"version":1,"issuer":"{ISSUER}","client_id":"{CLIENT_ID}","session":"{}","generation":5,"revision":3,"sign_in":77,"signed_in":{{"account":{{"subject":"{}","name":null,"email":null}},"identity_scopes":"openid","families":[{{"audience":null,"refresh_token":"rt-0-0","covers":{{{}}},"unanswered":{unanswered}}}],"tokens":[]}}}}"#,
        session_name(session),
        subject(0),
        covers.join(",")
    )
}
