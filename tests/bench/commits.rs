//! How long a commit takes: `commits BROKERS TOPIC COUNT` prints milliseconds from the last acknowledgement of a transaction
//! to its end, as JSON: the median, the 99th percentile and the largest.
//!
//! The real edge against a real broker; each transaction carries some records and a full shard of positions.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use viewtail::io::clock;
use viewtail::io::kafka::{Edge, EdgeHandle, KafkaOptions};
use viewtail::pipeline::action::{Command, Reply};
use viewtail::pipeline::batch::{Block, Destination, Record, Slice};
use viewtail::pipeline::shard::ShardWrite;

/// Longer than any command takes.
const PATIENCE: Duration = Duration::from_secs(90);
/// Records of a transaction: what a quiet second of a busy site brings.
const RECORDS: usize = 100;
/// An event's usual size.
const RECORD_BYTES: usize = 500;
/// Metadata of a full shard, which Kafka limits to this by default (offset.metadata.max.bytes).
const METADATA_BYTES: usize = 4096;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [brokers, topic, count] = &arguments[..] else {
        eprintln!(
            "commits: name the brokers, a topic and how many transactions: commits 127.0.0.1:9092 bench 300"
        );
        return ExitCode::from(2);
    };
    let Ok(count) = count.parse::<u64>() else {
        eprintln!("commits: {count} is no number");
        return ExitCode::from(2);
    };
    let brokers = brokers.split(',').map(str::to_owned).collect();
    let options = KafkaOptions::new(brokers, topic.clone(), "bench-commits");
    let (outbox, replies) = mpsc::channel();
    let edge = match Edge::spawn(options, &Arc::default(), move |reply| drop(outbox.send(reply))) {
        Ok(edge) => edge,
        Err(error) => {
            eprintln!("commits: no thread for Kafka: {error}");
            return ExitCode::FAILURE;
        }
    };
    match measure(&edge, &replies, count) {
        Ok(mut took_ms) => {
            took_ms.sort_by(f64::total_cmp);
            let at = |share: usize| took_ms[(took_ms.len() - 1) * share / 100];
            println!("{{\"p50_ms\":{:.3},\"p99_ms\":{:.3},\"max_ms\":{:.3}}}", at(50), at(99), at(100));
            ExitCode::SUCCESS
        }
        Err(reply) => {
            eprintln!("commits: {reply}");
            ExitCode::FAILURE
        }
    }
}

/// Milliseconds of each commit but the first, which finds the coordinators.
fn measure(edge: &EdgeHandle, replies: &Receiver<Reply>, count: u64) -> Result<Vec<f64>, String> {
    let ask = |command| {
        edge.send(command);
        match replies.recv_timeout(PATIENCE) {
            Ok(Reply::Failed(failure)) => Err(failure.message),
            Ok(reply) => Ok(reply),
            Err(error) => Err(error.to_string()),
        }
    };
    ask(Command::Connect { batch_bytes_max: 1_000_000 })?;
    let mut block = block();
    let mut took_ms = Vec::new();
    for sequence in 0..=count {
        ask(Command::Begin)?;
        let Reply::Produced(back) = ask(Command::Produce(block))? else {
            return Err("a block was not given back".to_owned());
        };
        block = back;
        ask(Command::Flush)?;
        let acknowledged = clock::now();
        let metadata = "x".repeat(METADATA_BYTES);
        ask(Command::SendOffsets(vec![ShardWrite { group: 0, partition: 0, sequence, metadata }]))?;
        ask(Command::Commit)?;
        if sequence > 0 {
            took_ms.push(acknowledged.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(took_ms)
}

fn block() -> Block {
    let mut block = Block::default();
    for number in 0..RECORDS {
        let start = block.arena.len();
        block.arena.extend((0..RECORD_BYTES).map(|at| b' ' + ((at * number) % 90).to_le_bytes()[0]));
        let value = Slice::new(start, block.arena.len());
        block.records.push(Record {
            key: Slice::default(),
            value,
            destination: Destination::Events(0),
            partition: 0,
            timestamp_ms: 0,
        });
    }
    block
}
