//! Runs of a model in several threads that have their next tokens evaluated together.
//!
//! Whoever needs a prediction waits until all others that are at work need one as well; then one of them
//! evaluates for all. Which runs meet changes no bit of what they get, so that nobody is waited for long:
//! one that codes without the model, waits for its input or was given up does not hold up the others.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::segment::PredictorError;
use crate::transformer::{Model, Session, States};

/// How long the others wait for one that does not ask. Longer than any of them works on a prediction,
/// much shorter than what it takes to evaluate for one alone again and again.
const PATIENCE: Duration = Duration::from_millis(20);

/// Why locks are not poisoned.
const SOUND: &str = "no thread panics with the lock";

/// What came of a token.
pub struct Done {
    pub session: Session,
    pub state: States,
    /// Of the token after it, one for each of the vocabulary.
    pub logits: Vec<i32>,
}

/// What a run is at.
enum Place {
    /// Nobody's.
    Free,
    /// Not waited for: it has not asked yet, works without the model or takes too long.
    Away,
    /// With its prediction.
    Working,
    Asking(Box<Session>, u32),
    /// In the hands of the thread that evaluates.
    Evaluated,
    /// Has what it asked for, but its turn to work has not come.
    Ready(Box<Done>),
    Failed(PredictorError),
}

struct Meeting {
    places: Vec<Place>,
    evaluates: bool,
    /// Counts what happens.
    events: u64,
}

/// Where runs of a model meet.
pub struct Lockstep {
    model: Arc<Model>,
    meeting: Mutex<Meeting>,
    moved: Condvar,
}

/// A run's place among the others.
pub struct Member {
    of: Arc<Lockstep>,
    number: usize,
}

impl Lockstep {
    pub fn new(model: &Arc<Model>) -> Self {
        Self {
            model: Arc::clone(model),
            meeting: Mutex::new(Meeting {
                places: Vec::new(),
                evaluates: false,
                events: 0,
            }),
            moved: Condvar::new(),
        }
    }

    /// A place for one more run.
    pub fn join(this: &Arc<Self>) -> Member {
        let mut meeting = this.lock();
        let free = meeting.places.iter().position(|p| matches!(p, Place::Free));
        let number = free.unwrap_or(meeting.places.len());
        if free.is_none() {
            meeting.places.push(Place::Free);
        }
        meeting.places[number] = Place::Away;
        Member {
            of: Arc::clone(this),
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Meeting> {
        self.meeting.lock().expect(SOUND)
    }

    fn put(&self, meeting: &mut Meeting, number: usize, place: Place) {
        meeting.places[number] = place;
        meeting.events += 1;
        self.moved.notify_all();
    }

    /// Evaluates for all that ask, without the lock; it is held again when this returns.
    fn serve<'a>(&'a self, mut meeting: MutexGuard<'a, Meeting>) -> MutexGuard<'a, Meeting> {
        let (mut numbers, mut sessions, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
        for (number, place) in meeting.places.iter_mut().enumerate() {
            if matches!(place, Place::Asking(..))
                && let Place::Asking(session, token) = std::mem::replace(place, Place::Evaluated)
            {
                numbers.push(number);
                sessions.push(session);
                tokens.push(token);
            }
        }
        meeting.evaluates = true;
        drop(meeting);
        let guard = Guard(self, &numbers);
        let done = self.evaluate(&mut sessions, &tokens);
        std::mem::forget(guard);
        let mut meeting = self.lock();
        match done {
            Ok((states, logits)) => {
                let logits = logits.chunks_exact(self.model.config().vocab);
                for (i, ((&number, session), logits)) in
                    numbers.iter().zip(sessions).zip(logits).enumerate()
                {
                    let done = Done {
                        session: *session,
                        state: states.part(i..i + 1),
                        logits: logits.to_vec(),
                    };
                    meeting.places[number] = Place::Ready(Box::new(done));
                }
            }
            Err(error) => {
                for &number in &numbers {
                    meeting.places[number] = Place::Failed(error);
                }
            }
        }
        meeting.evaluates = false;
        meeting.events += 1;
        self.moved.notify_all();
        meeting
    }

    fn evaluate(
        &self,
        sessions: &mut [Box<Session>],
        tokens: &[u32],
    ) -> Result<(States, Vec<i32>), PredictorError> {
        let (mut states, mut logits) = (States::new(), Vec::new());
        let mut all: Vec<&mut Session> = sessions.iter_mut().map(|s| &mut **s).collect();
        Session::advance_together(&mut all, tokens, &mut states)?;
        self.model.logits(&states, 0..tokens.len(), &mut logits)?;
        Ok((states, logits))
    }
}

/// Fails those that are evaluated for when the thread that does it panics.
struct Guard<'a>(&'a Lockstep, &'a [usize]);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let mut meeting = self.0.lock();
        for &number in self.1 {
            let broken = PredictorError::Usage("another thread that evaluated the model failed");
            self.0.put(&mut meeting, number, Place::Failed(broken));
        }
        meeting.evaluates = false;
    }
}

impl Member {
    /// Feeds a token, together with others.
    ///
    /// # Errors
    /// As [`Session::advance_together`]; the session is lost then.
    pub fn evaluate(&self, session: Session, token: u32) -> Result<Done, PredictorError> {
        let lockstep = &*self.of;
        let threads = lockstep.model.threads();
        let mut meeting = lockstep.lock();
        lockstep.put(
            &mut meeting,
            self.number,
            Place::Asking(Box::new(session), token),
        );
        loop {
            let (mut working, mut ready) = (0, 0);
            for place in &meeting.places {
                working += usize::from(matches!(place, Place::Working));
                ready += usize::from(matches!(place, Place::Ready(_)));
            }
            let evaluates = meeting.evaluates;
            let own = &mut meeting.places[self.number];
            match own {
                Place::Failed(error) => {
                    let error = *error;
                    lockstep.put(&mut meeting, self.number, Place::Away);
                    return Err(error);
                }
                // No more of them work at a time than threads are asked for.
                Place::Ready(_) if working < threads => {
                    let Place::Ready(done) = std::mem::replace(own, Place::Working) else {
                        unreachable!("just seen");
                    };
                    meeting.events += 1;
                    return Ok(*done);
                }
                Place::Asking(..) if working + ready == 0 && !evaluates => {
                    meeting = lockstep.serve(meeting);
                }
                _ => {
                    let events = meeting.events;
                    let waited = lockstep.moved.wait_timeout(meeting, PATIENCE);
                    let out;
                    (meeting, out) = waited.expect(SOUND);
                    if out.timed_out() && meeting.events == events && !meeting.evaluates {
                        lockstep.dismiss(&mut meeting);
                    }
                }
            }
        }
    }

    /// Is not waited for until it asks again.
    pub fn pause(&self) {
        let mut meeting = self.of.lock();
        self.of.put(&mut meeting, self.number, Place::Away);
    }
}

impl Lockstep {
    /// Waits no longer for those that work.
    fn dismiss(&self, meeting: &mut Meeting) {
        for place in &mut meeting.places {
            if matches!(place, Place::Working) {
                *place = Place::Away;
            }
        }
        meeting.events += 1;
        self.moved.notify_all();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut meeting = self.of.lock();
        self.of.put(&mut meeting, self.number, Place::Free);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transformer::tests::{any_model, tokens};

    /// Logits after each token of a run that meets others after `first` tokens.
    fn together(model: &Arc<Model>, member: &Member, first: &[u32], rest: &[u32]) -> Vec<i32> {
        let (mut session, mut logits) = (Session::new(model, 40).unwrap(), Vec::new());
        session.advance(first, &mut logits).unwrap();
        for (number, &token) in rest.iter().enumerate() {
            if number == 20 {
                member.pause();
                std::thread::sleep(PATIENCE / 4);
            }
            let done = member.evaluate(session, token).unwrap();
            assert_eq!(done.state.len(), 1);
            session = done.session;
            logits.extend(done.logits);
        }
        logits
    }

    #[test]
    fn runs_that_meet_get_what_each_gets_alone() {
        for threads in [1, 2] {
            let model = any_model(threads);
            let tokens = tokens(300);
            let lockstep = Arc::new(Lockstep::new(&model));
            std::thread::scope(|scope| {
                for number in 0..5 {
                    let (model, own) = (&model, &tokens[number * 50..]);
                    let member = Lockstep::join(&lockstep);
                    scope.spawn(move || {
                        // Some end before others.
                        let (first, rest) = own[..30 + 5 * number].split_at(3 * number + 1);
                        let found = together(model, &member, first, rest);
                        let (mut session, mut alone) =
                            (Session::new(model, 40).unwrap(), Vec::new());
                        session.advance(first, &mut alone).unwrap();
                        session.advance(rest, &mut alone).unwrap();
                        assert!(found == alone, "run {number}");
                    });
                }
            });
            let places = &lockstep.lock().places;
            assert!(places.iter().all(|place| matches!(place, Place::Free)));
        }
    }

    #[test]
    fn one_that_does_not_ask_does_not_stop_the_others() {
        let model = any_model(1);
        let lockstep = Arc::new(Lockstep::new(&model));
        let (idle, busy) = (Lockstep::join(&lockstep), Lockstep::join(&lockstep));
        let session = idle
            .evaluate(Session::new(&model, 40).unwrap(), 1)
            .unwrap()
            .session;
        // It has its prediction, and works on it for ever.
        let mut other = Session::new(&model, 40).unwrap();
        for token in 0..10 {
            other = busy.evaluate(other, token).unwrap().session;
        }
        assert!(idle.evaluate(session, 2).is_ok());
    }

    #[test]
    fn a_token_that_is_none_fails_for_those_that_met() {
        let model = any_model(1);
        let lockstep = Arc::new(Lockstep::new(&model));
        let member = Lockstep::join(&lockstep);
        let wrong = member.evaluate(Session::new(&model, 40).unwrap(), 1 << 20);
        assert!(matches!(wrong.err(), Some(PredictorError::Usage(_))));
        assert!(
            member
                .evaluate(Session::new(&model, 40).unwrap(), 1)
                .is_ok()
        );
    }
}
