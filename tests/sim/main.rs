//! The simulator: the pure machine between a virtual file system and a virtual Kafka, both hostile. One seed is one life.
//!
//! `VIEWTAIL_SIM_SEEDS=n` runs n seeds, `VIEWTAIL_SIM_SEED=n` replays one with its trace;
//! `VIEWTAIL_SIM_FIRST=n` begins at another seed.

mod agent;
mod books;
mod deleted;
mod edge;
mod exhaustive;
mod options;
mod oracle;
mod pinned;
mod plan;
mod planted;
mod rng;
mod rows;
mod run;
mod swarm;
mod vfs;
mod vkafka;
mod workload;
mod world;
