//! The Kafka edge: carries out the machine's commands one at a time and answers each with one reply.
//!
//! | file | is for |
//! |---|---|
//! | `options` | what can be set, and every librdkafka property with what it really does |
//! | `edge` | the handle, the thread, and the watchdog over calls that may never return |
//! | `worker` | one command in, one reply out |
//! | `reader` | looking the topic up without creating it, reading committed positions |
//! | `producer` | the producer: records, transactions, epoch hygiene |
//! | `held_back` | what of its queue librdkafka may not send by itself |
//! | `log` | librdkafka's own log, without its repetitions |
//! | `heard` | what is shown of librdkafka, over all producers: `log`, failures, round trips |
//! | `signals` | what librdkafka tells besides its answers, and which of it taints a transaction |
//! | `connection` | why no connection comes about, and what to change |
//! | `token` | the token of OAUTHBEARER, read from its file as often as one is wanted |
//! | `admin` | creating the topic, asking for settings |
//! | `classify` | the three classes and the causes |
//! | `topic` | reading a topic as a consumer does: for `verify`, `demo` and the audit of others |
//! | `embedded` | the mock cluster of the demo |
//! | `lookup` | the questions of `viewtail check` |
//! | `positions` | the committed positions, for whoever looks at them |
//! | `ffi` | the only unsafe code |
//!
//! Decides nothing about delivery: what follows a failure is the machine's business. rdkafka is used nowhere else.

mod admin;
mod classify;
pub mod connection;
pub mod edge;
pub mod embedded;
mod ffi;
pub mod heard;
mod held_back;
mod log;
pub mod lookup;
pub mod options;
pub mod positions;
mod producer;
mod reader;
mod signals;
mod token;
pub mod topic;
mod worker;

pub use edge::{Edge, EdgeHandle};
pub use options::{Acks, Compression, CreateTopic, Flush, KafkaOptions, Mode, QueueLimits};
pub use token::FILE_PROPERTY as TOKEN_FILE_PROPERTY;
