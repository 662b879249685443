//! The agent's pages: an observation is asked of the loop, at most a few times a second, and everything shown is made of it.
//!
//! The loop answers between two actions, however many strangers come: while one observation is fresh, it serves them all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, oneshot};

use super::Wake;
use crate::io::clock;
use crate::io::http::{self, Answer, Page, Server};
use crate::io::process::ProcessFacts;
use crate::telemetry::status::Status;
use crate::telemetry::{self, Observation};

/// How old an observation may be that is shown: four looks a second at most.
const FRESH: Duration = Duration::from_millis(250);
/// A loop that does not come by for so long does not live: an action takes milliseconds, and one of a disk in trouble seconds.
const LOOP_MAX: Duration = Duration::from_secs(5);

/// Where the agent is looked at, if anywhere.
#[derive(Debug, Default)]
pub(super) struct Endpoints(Option<(SocketAddr, Server)>);

impl Endpoints {
    /// Are at this address from now on. That they cannot be had there ends nothing: it is told, and lines are delivered all
    /// the same.
    pub(super) fn move_to(&mut self, address: Option<SocketAddr>, wake: &Sender<Wake>) {
        if self.0.as_ref().map(|(address, _)| *address) == address {
            return;
        }
        // First closed: the new address may be the old one and others.
        self.0 = None;
        let Some(address) = address else { return };
        match open(address, wake.clone()) {
            Ok(server) => {
                tracing::info!("metrics and status at http://{address}/metrics and /status");
                self.0 = Some((address, server));
            }
            Err(error) => tracing::warn!(
                "no metrics and no status: cannot listen at {address}: {error} (another agent? give http.listen another port, \
                 or set http: false)"
            ),
        }
    }
}

fn open(address: SocketAddr, wake: Sender<Wake>) -> std::io::Result<Server> {
    let pages = Pages { wake, seen: Arc::default() };
    http::serve(http::bind(address)?, move |page| {
        let pages = pages.clone();
        async move { pages.answer(page).await }
    })
}

#[derive(Clone)]
struct Pages {
    wake: Sender<Wake>,
    seen: Arc<Mutex<Option<Seen>>>,
}

/// The last look.
struct Seen {
    at: Instant,
    /// Nothing where the loop did not answer.
    observation: Option<Observation>,
    /// Large pages that were made of it.
    made: Vec<(Page, Answer)>,
}

impl Pages {
    async fn answer(&self, page: Page) -> Answer {
        let mut seen = self.seen.lock().await;
        let fresh = seen.take().filter(|seen| clock::now().duration_since(seen.at) < FRESH);
        let seen = match fresh {
            Some(fresh) => seen.insert(fresh),
            None => seen.insert(self.look().await),
        };
        let Some(observation) = &seen.observation else {
            return Answer::text(false, "the agent does not answer\n".to_owned());
        };
        if let Some((_, made)) = seen.made.iter().find(|(made, _)| *made == page) {
            return made.clone();
        }
        let answer = make(page, observation);
        seen.made.push((page, answer.clone()));
        answer
    }

    async fn look(&self) -> Seen {
        let (answer, observation) = oneshot::channel();
        // The loop ends before its senders only when the process does.
        let _ = self.wake.send(Wake::Look(answer));
        let observation = tokio::time::timeout(LOOP_MAX, observation).await;
        Seen { at: clock::now(), observation: observation.ok().and_then(Result::ok), made: Vec::new() }
    }
}

fn make(page: Page, observation: &Observation) -> Answer {
    match page {
        Page::Metrics => Answer {
            is_well: true,
            media_type: telemetry::MEDIA_TYPE,
            body: telemetry::metrics(observation.clone(), ProcessFacts::look()).into(),
        },
        Page::Health => Answer::text(true, "alive\n".to_owned()),
        Page::Ready => {
            let reasons = telemetry::reasons(observation);
            Answer::text(reasons.is_empty(), telemetry::readiness(&reasons))
        }
        Page::Status => {
            let json = serde_json::to_vec(&Status::of(observation)).expect("a status has text for keys");
            Answer { is_well: true, media_type: "application/json", body: json.into() }
        }
    }
}
