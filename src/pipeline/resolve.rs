//! What the positions in Kafka and those in the local state mean together (protocol step S4).

use super::action::Committed;
use super::checkpoint::Snapshot;
use super::shard::{self, Entry, Header, ShardError};
use crate::planted::{self, Bug};

/// All shards as Kafka has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Number of the last committed transaction.
    pub sequence: u64,
    /// Who committed it.
    pub nonce: u64,
    /// For how many partitions the shards were laid out.
    pub partitions: u32,
    /// They, in their order.
    pub shards: Vec<Written>,
}

/// A shard as Kafka has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Number of the transaction that wrote it last.
    pub sequence: u64,
    /// What it holds.
    pub entries: Vec<Entry>,
}

impl Remote {
    /// Every generation.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.shards.iter().flat_map(|shard| &shard.entries)
    }
}

/// What the groups that were fetched so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// There is no shard 0: nothing was ever committed, or it is lost.
    Absent,
    /// A shard is missing beside shard 0: the broker let it expire, or somebody reset its group.
    Torn,
    /// So many groups are needed in all.
    More(u32),
    /// Everything is here.
    Complete(Remote),
}

/// Puts the shards together from the groups fetched so far: one element per group, one per partition in it.
///
/// # Errors
/// A shard written by a later version, or one that is not ours.
pub fn assemble(groups: &[Vec<Committed>]) -> Result<Fetched, ShardError> {
    let Some(first) = groups.first().and_then(|group| group.first()) else { return Ok(Fetched::Absent) };
    let Some(sequence) = first.sequence else { return Ok(Fetched::Absent) };
    let (header, entries) = shard::decode_first(&first.metadata)?;
    let needed = header.shards.div_ceil(header.partitions);
    if (groups.len() as u64) < u64::from(needed) {
        return Ok(Fetched::More(needed));
    }
    let mut shards = vec![Written { sequence, entries }];
    for index in 1..header.shards {
        let (group, partition) = (index / header.partitions, index % header.partitions);
        let place = groups.get(group as usize).and_then(|group| group.get(partition as usize));
        let Some((Some(sequence), metadata)) = place.map(|shard| (shard.sequence, &shard.metadata)) else {
            return Ok(Fetched::Torn);
        };
        shards.push(Written { sequence, entries: shard::decode_other(metadata)? });
    }
    let Header { nonce, partitions, .. } = header;
    Ok(Fetched::Complete(Remote { sequence, nonce, partitions, shards }))
}

/// Whose positions a start goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Neither side knows anything.
    FirstRun,
    /// Kafka's: it is as new as the local state or newer.
    Kafka,
    /// The local ones: Kafka's were lost or set back, the last transaction may repeat.
    Local,
}

/// Decides whose positions count.
#[must_use]
pub fn truth(remote: Option<&Remote>, local: Option<&Snapshot>) -> Truth {
    match (remote, local) {
        (None, None) => Truth::FirstRun,
        (Some(_), None) => Truth::Kafka,
        (Some(_), Some(_)) if planted::is(Bug::LocalStateTrusted) => Truth::Local,
        (Some(remote), Some(local)) if remote.sequence >= local.sequence => Truth::Kafka,
        (None, Some(local)) if local.sequence == 0 => Truth::FirstRun,
        (Some(_) | None, Some(_)) if planted::is(Bug::RemoteLossIgnored) => Truth::FirstRun,
        (Some(_) | None, Some(_)) => Truth::Local,
    }
}

/// What a running agent finds after it had to connect anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The transaction in doubt is committed.
    Committed,
    /// It is not, or there was none.
    NotCommitted,
    /// Kafka's positions are lost or set back.
    Lost,
    /// Somebody else commits under our identity.
    Rival,
}

/// What the agent expects in Kafka.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Number of the last commit it knows of.
    pub sequence: u64,
    /// Its own nonce.
    pub nonce: u64,
    /// Whether a transaction with the next number is in doubt.
    pub in_doubt: bool,
}

/// Compares what is found with what is expected.
#[must_use]
pub fn confirm(expected: Expected, remote: Option<&Remote>) -> Confirmation {
    let found = remote.map_or(0, |remote| remote.sequence);
    let ours = remote.is_some_and(|remote| remote.nonce == expected.nonce)
        || planted::is(Bug::RivalTakenForOurselves);
    if found == expected.sequence {
        Confirmation::NotCommitted
    } else if found < expected.sequence {
        Confirmation::Lost
    } else if ours && expected.in_doubt && found == expected.sequence + 1 {
        Confirmation::Committed
    } else {
        Confirmation::Rival
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::shard::encode_first;

    fn committed(sequence: u64, metadata: &str) -> Committed {
        Committed { sequence: Some(sequence), metadata: metadata.to_owned() }
    }

    fn remote(sequence: u64, nonce: u64) -> Remote {
        Remote { sequence, nonce, partitions: 2, shards: Vec::new() }
    }

    #[test]
    fn groups_are_asked_for_until_all_shards_are_there() {
        let first = encode_first(Header { nonce: 1, shards: 4, partitions: 2 }, [].iter());
        let group0 = vec![committed(9, &first), committed(3, "1 ")];
        assert_eq!(assemble(&[]), Ok(Fetched::Absent));
        assert_eq!(assemble(&[vec![Committed::default()]]), Ok(Fetched::Absent));
        assert_eq!(assemble(std::slice::from_ref(&group0)), Ok(Fetched::More(2)));
        let group1 = vec![committed(9, "1 "), committed(8, "1 ")];
        let shards = [9, 3, 9, 8].map(|sequence| Written { sequence, entries: Vec::new() }).to_vec();
        let complete = Fetched::Complete(Remote { shards, ..remote(9, 1) });
        assert_eq!(assemble(&[group0.clone(), group1]), Ok(complete));
        let torn = vec![committed(9, "1 "), Committed::default()];
        assert_eq!(assemble(&[group0, torn]), Ok(Fetched::Torn));
    }

    #[test]
    fn the_newer_side_is_the_truth_and_a_loss_is_never_a_first_run() {
        let local = Snapshot { sequence: 5, ..Snapshot::default() };
        assert_eq!(truth(None, None), Truth::FirstRun);
        assert_eq!(truth(Some(&remote(5, 0)), Some(&local)), Truth::Kafka);
        assert_eq!(truth(Some(&remote(6, 0)), Some(&local)), Truth::Kafka);
        assert_eq!(truth(Some(&remote(4, 0)), Some(&local)), Truth::Local);
        assert_eq!(truth(None, Some(&local)), Truth::Local);
        assert_eq!(truth(Some(&remote(1, 0)), None), Truth::Kafka);
    }

    #[test]
    fn doubt_is_settled_by_number_and_nonce() {
        let expected = Expected { sequence: 5, nonce: 1, in_doubt: true };
        assert_eq!(confirm(expected, Some(&remote(5, 2))), Confirmation::NotCommitted);
        assert_eq!(confirm(expected, Some(&remote(6, 1))), Confirmation::Committed);
        assert_eq!(confirm(expected, Some(&remote(6, 2))), Confirmation::Rival);
        assert_eq!(confirm(expected, Some(&remote(7, 1))), Confirmation::Rival);
        assert_eq!(
            confirm(Expected { in_doubt: false, ..expected }, Some(&remote(6, 1))),
            Confirmation::Rival
        );
        assert_eq!(confirm(expected, None), Confirmation::Lost);
        assert_eq!(
            confirm(Expected { sequence: 0, in_doubt: false, ..expected }, None),
            Confirmation::NotCommitted
        );
    }
}
