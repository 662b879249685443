//! The committed positions of all generations at one instant, and their layout in shards.
//!
//! The checkpoint moves in `Checkpoint::advance` and nowhere else, and `advance` has one caller: the delivery machine,
//! when a commit is known to have succeeded. What a commit will make of it is prepared as a [`Proposal`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::account::{Account, Books};
use super::action::SharedPath;
use super::resolve::Remote;
use super::shard::{self, ENTRY_BYTES_MAX, Entry, Grid, Header, ShardWrite};
use crate::event::StreamId;

/// Brokers let committed offsets expire, after 7 days by default. So many shards that an earlier process wrote are written again
/// with each transaction, however often the agent is restarted: thousands of files are done with the first few, and a hundred
/// thousand within two minutes, a few hundredths of a second each.
const AGED_PER_COMMIT: usize = 32;

/// What the local state keeps: a cache of what Kafka knows, and paths, which Kafka has no room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Number of the last commit.
    pub sequence: u64,
    /// The topic that carries the shards.
    pub anchor: String,
    /// The cluster, where it is known.
    pub cluster_id: Option<String>,
    /// Keys of the logs whose existing files have been seen; `start:` no longer applies to them.
    pub logs: Vec<u64>,
    /// Every generation of the checkpoint.
    pub files: Vec<FileSnapshot>,
    /// What became of the bytes of generations that are remembered no more, by their first path.
    pub forgotten: Vec<(SharedPath, Account)>,
}

/// One generation in the local state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSnapshot {
    /// What Kafka keeps of it as well.
    pub entry: Entry,
    /// The path at first sight.
    pub home: SharedPath,
    /// The path where it was last seen.
    pub path: SharedPath,
    /// Whether it lost the name it was found by, or is missing.
    pub is_rotated: bool,
    /// What became of its bytes.
    pub books: Books,
    /// When it was last written to, as far as was seen: nanoseconds since the epoch, 0 if unknown.
    pub modified_ns: i64,
    /// Size in bytes of the archive in which it was read to its end, if it was.
    pub read_archive: Option<u64>,
}

impl FileSnapshot {
    /// A generation of which only Kafka's part is known.
    #[must_use]
    pub fn nowhere(entry: Entry) -> Self {
        let nowhere = SharedPath::from(std::path::Path::new(""));
        let books = Books::at(entry.mark.position);
        Self {
            entry,
            home: nowhere.clone(),
            path: nowhere,
            is_rotated: false,
            books,
            modified_ns: 0,
            read_archive: None,
        }
    }
}

/// The committed positions.
#[derive(Debug)]
pub struct Checkpoint {
    sequence: u64,
    entries: BTreeMap<StreamId, Entry>,
    layout: Layout,
}

/// Which shard carries which generation; a generation stays in its shard for as long as it fits there, so that few shards change.
#[derive(Debug)]
struct Layout {
    grid: Grid,
    shards: Vec<Shard>,
    homes: HashMap<StreamId, Home>,
    /// Those that have room for any entry.
    free: BTreeSet<usize>,
    dirty: BTreeSet<usize>,
    /// Those that an earlier process wrote, the longest ago first.
    aged: Vec<usize>,
}

/// What a shard holds.
#[derive(Debug, Default)]
struct Shard {
    streams: BTreeSet<StreamId>,
    /// Room in bytes that they take.
    taken: usize,
}

/// Where a generation is held.
#[derive(Clone, Copy, Debug)]
struct Home {
    shard: usize,
    /// Room in bytes that it takes there.
    room: usize,
}

/// What the checkpoint becomes if the transaction that carries it is committed.
#[derive(Debug)]
pub struct Proposal {
    sequence: u64,
    changed: Vec<Entry>,
    gone: Vec<StreamId>,
    rewritten: Vec<usize>,
}

impl Proposal {
    /// The transaction's number.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The generations whose position moves.
    #[must_use]
    pub fn changed(&self) -> &[Entry] {
        &self.changed
    }
}

impl Checkpoint {
    /// A checkpoint that was read back. All its shards count as changed, as nobody knows how they were laid out.
    #[must_use]
    pub fn restored(sequence: u64, entries: impl IntoIterator<Item = Entry>, grid: Grid) -> Self {
        let entries: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.stream, entry)).collect();
        let mut layout = Layout::new(grid);
        entries.values().for_each(|entry| layout.assign(entry));
        Self { sequence, entries, layout }
    }

    /// The checkpoint that Kafka has, and generations that it did not hold yet, laid out as it is there: only what changes is
    /// written, and by and by what an earlier process wrote. Nothing if it is better laid out anew.
    #[must_use]
    pub fn as_written(remote: &Remote, begun: &[Entry], grid: Grid) -> Option<Self> {
        let Remote { sequence, shards, .. } = remote;
        let mut layout = Layout::new(grid);
        for (number, shard) in shards.iter().enumerate() {
            layout.hold(number, &shard.entries);
        }
        let mut entries: BTreeMap<_, _> = remote.entries().map(|entry| (entry.stream, *entry)).collect();
        let is_sole = entries.len() == remote.entries().count();
        let is_full = layout.shards.iter().any(|shard| shard.taken > grid.room());
        // Most of what they once held is forgotten.
        let is_sparse = shards.len() > 1 + 2 * (entries.len() * ENTRY_BYTES_MAX).div_ceil(grid.room());
        if remote.partitions != grid.partitions || !is_sole || is_full || is_sparse {
            return None;
        }
        layout.aged = (1..shards.len()).collect();
        layout.aged.sort_by_key(|number| shards[*number].sequence);
        for entry in begun {
            layout.assign(entry);
            entries.insert(entry.stream, *entry);
        }
        Some(Self { sequence: *sequence, entries, layout })
    }

    /// Number of the last commit, 0 before the first.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What the shards are laid out for.
    #[must_use]
    pub fn grid(&self) -> Grid {
        self.layout.grid
    }

    /// The committed entry of a generation.
    #[must_use]
    pub fn get(&self, stream: StreamId) -> Option<&Entry> {
        self.entries.get(&stream)
    }

    /// All committed entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Marks every shard to be written again: before the broker lets offsets expire, or after it lost them.
    pub fn refresh(&mut self) {
        self.layout.dirty.extend(0..self.layout.shards.len());
    }

    /// What the next transaction will make of the checkpoint. `changed` are entries with new positions or
    /// identities, `gone` generations that left the disk and are committed.
    pub fn propose(&mut self, changed: Vec<Entry>, gone: Vec<StreamId>) -> Proposal {
        for entry in &changed {
            if crate::planted::is(crate::planted::Bug::ShardForgotten)
                && self.layout.homes.contains_key(&entry.stream)
            {
                continue;
            }
            self.layout.assign(entry);
        }
        for stream in &gone {
            self.layout.touch(*stream);
        }
        let aged = self.layout.aged.iter().take(AGED_PER_COMMIT);
        let rewritten: BTreeSet<usize> = self.layout.dirty.iter().chain(aged).copied().collect();
        let rewritten = rewritten.into_iter().collect();
        Proposal { sequence: self.sequence + 1, changed, gone, rewritten }
    }

    /// The shards that the proposal's transaction has to write: those that change, shard 0 last, because its number
    /// makes the others count.
    #[must_use]
    pub fn writes(&self, proposal: &Proposal, nonce: u64) -> Vec<ShardWrite> {
        let changed: HashMap<StreamId, &Entry> =
            proposal.changed.iter().map(|entry| (entry.stream, entry)).collect();
        let gone: BTreeSet<StreamId> = proposal.gone.iter().copied().collect();
        let partitions = self.layout.grid.partitions;
        let write = |shard: usize| {
            let members = self.layout.shards[shard].streams.iter().filter(|stream| !gone.contains(stream));
            let entries = members
                .filter_map(|stream| changed.get(stream).copied().or_else(|| self.entries.get(stream)));
            let metadata = if shard == 0 {
                let header = Header { nonce, shards: self.layout.count(), partitions };
                shard::encode_first(header, entries)
            } else {
                shard::encode_other(entries)
            };
            let index = u32::try_from(shard).expect("fewer than 2^32 shards, or memory had run out before");
            ShardWrite {
                group: index / partitions,
                partition: index % partitions,
                sequence: proposal.sequence,
                metadata,
            }
        };
        let others = proposal.rewritten.iter().rev().filter(|shard| **shard != 0);
        let mut writes: Vec<ShardWrite> = others.chain([&0]).map(|shard| write(*shard)).collect();
        if crate::planted::is(crate::planted::Bug::FirstShardFirst) {
            writes.reverse();
        }
        writes
    }

    /// Moves the checkpoint: the transaction of this proposal IS committed. Called by the delivery machine alone.
    pub(super) fn advance(&mut self, proposal: Proposal) {
        assert_eq!(proposal.sequence, self.sequence + 1, "a commit without its predecessor");
        for entry in proposal.changed {
            if let Some(before) = self.entries.insert(entry.stream, entry) {
                assert!(before.mark.position <= entry.mark.position, "a committed position moved back");
            }
        }
        for stream in proposal.gone {
            self.entries.remove(&stream);
            self.layout.remove(stream);
        }
        self.layout.aged.retain(|shard| proposal.rewritten.binary_search(shard).is_err());
        for shard in proposal.rewritten {
            self.layout.dirty.remove(&shard);
        }
        self.sequence = proposal.sequence;
    }
}

impl Layout {
    fn new(grid: Grid) -> Self {
        assert!(grid.partitions > 0, "a topic has at least one partition");
        assert!(grid.room() >= ENTRY_BYTES_MAX, "a shard has room for any entry");
        let mut layout = Self {
            grid,
            shards: Vec::new(),
            homes: HashMap::new(),
            free: BTreeSet::new(),
            dirty: BTreeSet::new(),
            aged: Vec::new(),
        };
        layout.add_shard();
        layout
    }

    fn count(&self) -> u32 {
        u32::try_from(self.shards.len()).expect("fewer than 2^32 shards, or memory had run out before")
    }

    fn add_shard(&mut self) -> usize {
        let shard = self.shards.len();
        self.shards.push(Shard::default());
        self.free.insert(shard);
        self.dirty.insert(shard);
        shard
    }

    /// Gives the generation a shard if it has none, or another if it has outgrown its own, and marks what changes by that. It gives
    /// no room back: what needed more may count again when the transaction fails.
    fn assign(&mut self, entry: &Entry) {
        self.touch(entry.stream);
        let own = self.remove(entry.stream);
        let room = shard::room_of(entry).max(own.map_or(0, |home| home.room));
        let fits = |shard: &usize| self.shards[*shard].taken + room <= self.grid.room();
        let shard = own.map(|home| home.shard).filter(fits).or_else(|| self.free.first().copied());
        let shard = shard.unwrap_or_else(|| self.add_shard());
        self.place(entry.stream, Home { shard, room });
        self.dirty.insert(shard);
    }

    /// Takes over what a shard holds in Kafka.
    fn hold(&mut self, shard: usize, entries: &[Entry]) {
        if shard == self.shards.len() {
            self.shards.push(Shard::default());
            self.free.insert(shard);
        }
        for entry in entries {
            self.place(entry.stream, Home { shard, room: shard::room_of(entry) });
        }
    }

    fn place(&mut self, stream: StreamId, home: Home) {
        self.homes.insert(stream, home);
        let held = &mut self.shards[home.shard];
        held.streams.insert(stream);
        held.taken += home.room;
        self.note_room(home.shard);
    }

    fn note_room(&mut self, shard: usize) {
        if self.shards[shard].taken + ENTRY_BYTES_MAX <= self.grid.room() {
            self.free.insert(shard);
        } else {
            self.free.remove(&shard);
        }
    }

    fn touch(&mut self, stream: StreamId) {
        if let Some(home) = self.homes.get(&stream) {
            self.dirty.insert(home.shard);
        }
    }

    fn remove(&mut self, stream: StreamId) -> Option<Home> {
        let home = self.homes.remove(&stream)?;
        let held = &mut self.shards[home.shard];
        held.streams.remove(&stream);
        held.taken -= home.room;
        self.note_room(home.shard);
        Some(home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SkipReason;
    use crate::pipeline::action::Committed;
    use crate::pipeline::identity::{Mark, Tuple};
    use crate::pipeline::line::Gap;
    use crate::pipeline::resolve::{self, Fetched, Written};

    fn entry(stream: u64, position: u64) -> Entry {
        let mark = Mark { position, hash: stream };
        let tuple = Tuple { device: 1, inode: stream, birth_ns: None };
        Entry {
            stream: StreamId(stream),
            home_hash: 1,
            tuple,
            head_hash: 2,
            mark,
            gap: Gap::default(),
            begun: true,
        }
    }

    fn grid(partitions: u32) -> Grid {
        Grid { partitions, metadata_bytes_max: shard::METADATA_BYTES_MAX }
    }

    fn stored(checkpoint: &Checkpoint, proposal: &Proposal, store: &mut BTreeMap<(u32, u32), String>) {
        for write in checkpoint.writes(proposal, 7) {
            store.insert((write.group, write.partition), write.metadata);
        }
    }

    fn read_back(store: &BTreeMap<(u32, u32), String>) -> Vec<Entry> {
        let (header, mut entries) = shard::decode_first(&store[&(0, 0)]).unwrap();
        for index in 1..header.shards {
            let metadata = &store[&(index / header.partitions, index % header.partitions)];
            entries.extend(shard::decode_other(metadata).unwrap());
        }
        entries.sort_by_key(|entry| entry.stream);
        entries
    }

    #[test]
    fn many_generations_fill_several_groups_and_only_changed_shards_are_written() {
        let mut checkpoint = Checkpoint::restored(0, [], grid(3));
        let mut store = BTreeMap::new();
        let proposal = checkpoint.propose((0..1000).map(|n| entry(n, 10)).collect(), Vec::new());
        stored(&checkpoint, &proposal, &mut store);
        checkpoint.advance(proposal);
        assert!(store.keys().map(|(group, _)| group).max() > Some(&3));

        let proposal = checkpoint.propose(vec![entry(999, 20)], vec![StreamId(5)]);
        let writes = checkpoint.writes(&proposal, 7);
        assert_eq!(writes.len(), 2);
        assert_eq!((writes[1].group, writes[1].partition), (0, 0), "shard 0 comes last");
        stored(&checkpoint, &proposal, &mut store);
        checkpoint.advance(proposal);

        let expected: Vec<Entry> = checkpoint.entries().copied().collect();
        assert_eq!(expected.len(), 999);
        assert_eq!(read_back(&store), expected);
        assert_eq!(checkpoint.sequence(), 2);
    }

    #[test]
    fn a_generation_that_outgrows_its_shard_moves_to_another_and_is_nowhere_twice() {
        let grown = |stream: u64| {
            let far = entry(stream, u64::MAX - stream);
            let tuple = Tuple { device: u64::MAX, inode: u64::MAX - stream, birth_ns: Some(-1) };
            Entry { tuple, gap: Gap { bytes: u64::MAX, reason: SkipReason::Hole }, ..far }
        };
        let mut checkpoint = Checkpoint::restored(0, [], grid(3));
        let mut store = BTreeMap::new();
        for changed in [(0..500).map(|n| entry(n, 10)).collect::<Vec<_>>(), (0..500).map(grown).collect()] {
            // A transaction that fails has no part in what the next one writes.
            let _lost =
                checkpoint.propose(changed.iter().skip(100).step_by(3).copied().collect(), Vec::new());
            for few in changed.chunks(10) {
                let proposal = checkpoint.propose(few.to_vec(), Vec::new());
                stored(&checkpoint, &proposal, &mut store);
                checkpoint.advance(proposal);
                assert_eq!(read_back(&store), checkpoint.entries().copied().collect::<Vec<_>>());
            }
            assert!(store.values().all(|text| text.len() <= shard::METADATA_BYTES_MAX));
        }
    }

    #[test]
    fn after_a_restart_the_shards_are_as_they_were_and_the_oldest_are_written_again_by_and_by() {
        const SHARDS: usize = 2 * AGED_PER_COMMIT;
        let mut before = Checkpoint::restored(0, [], grid(3));
        let mut files = 0;
        while before.layout.shards.len() < SHARDS || before.layout.free.contains(&(SHARDS - 1)) {
            before.layout.assign(&entry(files, 10));
            files += 1;
        }
        let mut store = BTreeMap::new();
        let mut ages = BTreeMap::new();
        // All of them, and then those of the first half once more.
        for changed in [0..files, 0..files / 2] {
            let proposal = before.propose(changed.map(|n| entry(n, 10)).collect(), Vec::new());
            for write in before.writes(&proposal, 7) {
                ages.insert((write.group, write.partition), write.sequence);
                store.insert((write.group, write.partition), write.metadata);
            }
            before.advance(proposal);
        }
        let groups: Vec<Vec<Committed>> = (0..=store.keys().last().unwrap().0)
            .map(|group| {
                let of_partition = |partition| Committed {
                    sequence: ages.get(&(group, partition)).copied(),
                    metadata: store.get(&(group, partition)).cloned().unwrap_or_default(),
                };
                (0..3).map(of_partition).collect()
            })
            .collect();
        let Ok(Fetched::Complete(remote)) = resolve::assemble(&groups) else { panic!("all are there") };
        assert_eq!(remote.shards.len(), SHARDS);
        assert!(Checkpoint::as_written(&remote, &[], grid(4)).is_none(), "it was laid out for three");
        let mut after = Checkpoint::as_written(&remote, &[entry(files, 0)], grid(3)).unwrap();
        for round in 0..3 {
            let proposal = after.propose(vec![entry(files - 1, 20 + round)], Vec::new());
            let writes = after.writes(&proposal, 8);
            let aged = [AGED_PER_COMMIT, AGED_PER_COMMIT - 1, 0][usize::try_from(round).unwrap()];
            assert!((aged..=aged + 3).contains(&writes.len()), "round {round}: {} shards", writes.len());
            assert_eq!(writes.last().map(|write| (write.group, write.partition)), Some((0, 0)));
            stored(&after, &proposal, &mut store);
            after.advance(proposal);
            assert_eq!(read_back(&store), after.entries().copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn shards_that_hold_one_generation_twice_or_next_to_nothing_are_laid_out_anew() {
        let written = |streams: &[u64]| Written {
            sequence: 1,
            entries: streams.iter().map(|stream| entry(*stream, 1)).collect(),
        };
        let anew = |shards: &[&[u64]]| {
            let shards = shards.iter().map(|streams| written(streams)).collect();
            let remote = Remote { sequence: 1, nonce: 1, partitions: 1, shards };
            Checkpoint::as_written(&remote, &[], grid(1)).is_none()
        };
        assert!(!anew(&[&[1, 2], &[3]]));
        assert!(anew(&[&(0..100).collect::<Vec<_>>()]), "a broker takes less than one of another limit did");
        assert!(anew(&[&[1, 2], &[2]]));
        assert!(anew(&[&[1], &[2], &[3], &[4]]));
    }

    #[test]
    fn a_proposal_that_is_not_committed_leaves_no_trace_in_positions() {
        let mut checkpoint = Checkpoint::restored(4, [entry(1, 10)], grid(1));
        let _lost = checkpoint.propose(vec![entry(1, 50), entry(2, 5)], Vec::new());
        let mut store = BTreeMap::new();
        let proposal = checkpoint.propose(vec![entry(1, 30)], Vec::new());
        stored(&checkpoint, &proposal, &mut store);
        assert_eq!(read_back(&store), [entry(1, 30)]);
    }
}
