//! Positions as Kafka keeps them: committed offsets of private groups on the anchor topic's partitions.
//!
//! Shard `n` lives in group `n / partitions` on partition `n % partitions`; its committed offset is the number of the
//! transaction that last changed it, its metadata the entries. Shard 0 carries a header besides. The text is
//! `1 <nonce> <shards> <partitions> <entries>` for shard 0 and `1 <entries>` for the others: the format's version,
//! then fields, then the entries as base64, because the broker keeps metadata as UTF-8.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::identity::{Mark, Tuple};
use super::line::Gap;
use crate::event::{SkipReason, StreamId};

/// The version written; one that is newer is refused.
pub const FORMAT_VERSION: u32 = 1;

/// What a broker takes by default (`offset.metadata.max.bytes`).
pub const METADATA_BYTES_MAX: usize = 4096;

/// What each entry has: 8 stream, 4 home, 1 flags, 8 head, 8 marker.
const FIXED_BYTES: usize = 29;

/// Worst case of an encoded entry: at most 10 more for each of position, device, inode, birth and gap.
pub const ENTRY_BYTES_MAX: usize = FIXED_BYTES + 5 * 10;

/// Room for shard 0's header: version, nonce, two numbers, spaces.
const HEADER_BYTES_MAX: usize = 48;

/// Positions grow: each has room up to here, 4 TiB, from the beginning, so that hardly an entry ever moves to another shard.
const POSITION_FORESEEN: u64 = (1 << 42) - 1;

/// Where shards may lie and what each may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Partitions of the anchor topic.
    pub partitions: u32,
    /// Most bytes of a shard's text.
    pub metadata_bytes_max: usize,
}

impl Grid {
    /// Room in bytes for the entries of a shard, before they become base64.
    #[must_use]
    pub fn room(&self) -> usize {
        (self.metadata_bytes_max - HEADER_BYTES_MAX) * 3 / 4
    }
}

/// One shard to be written in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardWrite {
    /// Which of our consumer groups: 0 is `viewtail-<agent id>`, n is `viewtail-<agent id>.n`.
    pub group: u32,
    /// Partition of the anchor topic.
    pub partition: u32,
    /// The committed offset: the transaction's number.
    pub sequence: u64,
    /// At most [`Grid::metadata_bytes_max`] bytes of text.
    pub metadata: String,
}

/// All that is needed to go on with a generation without any local state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The generation's name.
    pub stream: StreamId,
    /// Hash of the path at first sight.
    pub home_hash: u32,
    /// The inode it was last seen in.
    pub tuple: Tuple,
    /// Hash of the head that the position covers.
    pub head_hash: u64,
    /// The committed position.
    pub mark: Mark,
    /// What lies before that position without an event.
    pub gap: Gap,
    /// Whether an event of it was ever sent; if not, the first one says what lies before it.
    pub begun: bool,
}

/// What only shard 0 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Random number of the process that wrote it.
    pub nonce: u64,
    /// How many shards there are.
    pub shards: u32,
    /// Partitions of the anchor when the shards were laid out; more may have been added since.
    pub partitions: u32,
}

/// Why metadata could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Written by a later version of viewtail.
    #[error(
        "positions were written in format {0}, which is newer than this viewtail's format {FORMAT_VERSION}"
    )]
    Newer(u32),
    /// Not ours, or damaged.
    #[error("unreadable positions: {0}")]
    Damaged(&'static str),
}

/// Text of shard 0.
#[must_use]
pub fn encode_first<'a>(header: Header, entries: impl Iterator<Item = &'a Entry>) -> String {
    let Header { nonce, shards, partitions } = header;
    format!("{FORMAT_VERSION} {nonce:016x} {shards} {partitions} {}", encode_entries(entries))
}

/// Text of any other shard.
#[must_use]
pub fn encode_other<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    format!("{FORMAT_VERSION} {}", encode_entries(entries))
}

/// Reads shard 0.
///
/// # Errors
/// A newer format, or text that is not ours.
pub fn decode_first(metadata: &str) -> Result<(Header, Vec<Entry>), ShardError> {
    let mut fields = versioned(metadata)?;
    let mut field = || fields.next().ok_or(ShardError::Damaged("the header is cut short"));
    let nonce =
        u64::from_str_radix(field()?, 16).map_err(|_| ShardError::Damaged("the nonce is no number"))?;
    let number = |text: &str| text.parse().map_err(|_| ShardError::Damaged("a count is no number"));
    let shards = number(field()?)?;
    let partitions = number(field()?)?;
    if shards == 0 || partitions == 0 {
        return Err(ShardError::Damaged("a count is zero"));
    }
    Ok((Header { nonce, shards, partitions }, decode_entries(field()?)?))
}

/// Reads any other shard.
///
/// # Errors
/// A newer format, or text that is not ours.
pub fn decode_other(metadata: &str) -> Result<Vec<Entry>, ShardError> {
    decode_entries(versioned(metadata)?.next().ok_or(ShardError::Damaged("the entries are missing"))?)
}

fn versioned(metadata: &str) -> Result<std::str::Split<'_, char>, ShardError> {
    let mut fields = metadata.split(' ');
    let version = fields.next().and_then(|version| version.parse::<u32>().ok());
    match version {
        Some(FORMAT_VERSION) => Ok(fields),
        Some(newer) if newer > FORMAT_VERSION => Err(ShardError::Newer(newer)),
        Some(_) | None => Err(ShardError::Damaged("the version is unknown")),
    }
}

fn encode_entries<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let mut bytes = Vec::with_capacity(METADATA_BYTES_MAX);
    for entry in entries {
        encode_entry(entry, &mut bytes);
    }
    STANDARD_NO_PAD.encode(bytes)
}

fn decode_entries(text: &str) -> Result<Vec<Entry>, ShardError> {
    let bytes =
        STANDARD_NO_PAD.decode(text).map_err(|_| ShardError::Damaged("the entries are not base64"))?;
    let mut reader = Reader(&bytes);
    let mut entries = Vec::new();
    while !reader.0.is_empty() {
        entries.push(decode_entry(&mut reader).ok_or(ShardError::Damaged("an entry is cut short"))?);
    }
    Ok(entries)
}

const FLAG_BEGUN: u8 = 1;
const FLAG_BIRTH: u8 = 2;
const FLAG_GAP: u8 = 4;
/// Where the two bits of the gap's reason stand.
const GAP_REASON_SHIFT: u32 = 3;
/// Reasons by their bits.
const GAP_REASONS: [SkipReason; 4] =
    [SkipReason::Filtered, SkipReason::Start, SkipReason::Hole, SkipReason::Unreadable];

/// The room in bytes that an entry takes of its shard: no less than it needs as it is.
#[must_use]
pub fn room_of(entry: &Entry) -> usize {
    let number = |value: u64| (u64::BITS - value.leading_zeros()).max(1).div_ceil(7) as usize;
    let Entry { tuple: Tuple { device, inode, birth_ns }, mark, gap, .. } = entry;
    let position = number(mark.position.max(POSITION_FORESEEN));
    let birth = birth_ns.map_or(0, |birth_ns| number(birth_ns.cast_unsigned()));
    let gap = if gap.bytes > 0 { number(gap.bytes) } else { 0 };
    FIXED_BYTES + position + number(*device) + number(*inode) + birth + gap
}

/// Appends one entry: fixed fields first, then numbers of variable length.
pub fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    let flags = if entry.begun { FLAG_BEGUN } else { 0 }
        | if entry.tuple.birth_ns.is_some() { FLAG_BIRTH } else { 0 }
        | if entry.gap.bytes > 0 { FLAG_GAP | gap_reason(entry.gap.reason) } else { 0 };
    out.push(flags);
    out.extend_from_slice(&entry.stream.0.to_le_bytes());
    out.extend_from_slice(&entry.home_hash.to_le_bytes());
    out.extend_from_slice(&entry.head_hash.to_le_bytes());
    out.extend_from_slice(&entry.mark.hash.to_le_bytes());
    write_number(entry.mark.position, out);
    write_number(entry.tuple.device, out);
    write_number(entry.tuple.inode, out);
    if let Some(birth_ns) = entry.tuple.birth_ns {
        write_number(birth_ns.cast_unsigned(), out);
    }
    if entry.gap.bytes > 0 {
        write_number(entry.gap.bytes, out);
    }
}

/// Bytes that are taken from the front.
#[derive(Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    /// Takes so many bytes; `None` if there are fewer.
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

/// Takes one entry from the front; `None` if the bytes end too early.
pub fn decode_entry(reader: &mut Reader<'_>) -> Option<Entry> {
    let [flags] = reader.take()?;
    let stream = StreamId(u64::from_le_bytes(reader.take()?));
    let home_hash = u32::from_le_bytes(reader.take()?);
    let head_hash = u64::from_le_bytes(reader.take()?);
    let hash = u64::from_le_bytes(reader.take()?);
    let mark = Mark { position: reader.number()?, hash };
    let device = reader.number()?;
    let inode = reader.number()?;
    let birth_ns = if flags & FLAG_BIRTH == 0 { None } else { Some(reader.number()?.cast_signed()) };
    let tuple = Tuple { device, inode, birth_ns };
    let gap = if flags & FLAG_GAP == 0 {
        Gap::default()
    } else {
        let reason = GAP_REASONS[usize::from(flags >> GAP_REASON_SHIFT & 3)];
        Gap { bytes: reader.number()?, reason }
    };
    Some(Entry { stream, home_hash, tuple, head_hash, mark, gap, begun: flags & FLAG_BEGUN != 0 })
}

fn gap_reason(reason: SkipReason) -> u8 {
    let bits: u8 = match reason {
        SkipReason::Filtered => 0,
        SkipReason::Start => 1,
        SkipReason::Hole => 2,
        SkipReason::Unreadable => 3,
    };
    bits << GAP_REASON_SHIFT
}

/// LEB128: seven bits a byte, lowest first.
fn write_number(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries() -> impl Strategy<Value = Entry> {
        let gap = prop_oneof![Just(0), any::<u64>()];
        (any::<[u64; 6]>(), any::<u32>(), any::<Option<i64>>(), any::<bool>(), gap, 0..4_usize).prop_map(
            |(
                [stream, device, inode, head_hash, position, hash],
                home_hash,
                birth_ns,
                begun,
                bytes,
                reason,
            )| Entry {
                gap: if bytes == 0 { Gap::default() } else { Gap { bytes, reason: GAP_REASONS[reason] } },
                stream: StreamId(stream),
                home_hash,
                tuple: Tuple { device, inode, birth_ns },
                head_hash,
                mark: Mark { position, hash },
                begun,
            },
        )
    }

    proptest! {
        #[test]
        fn shards_come_back_equal_and_fit(
            nonce: u64, shards in 1..=u32::MAX, partitions in 1..=u32::MAX,
            mut entries in prop::collection::vec(entries(), 0..=METADATA_BYTES_MAX / FIXED_BYTES),
        ) {
            let mut room = Grid { partitions, metadata_bytes_max: METADATA_BYTES_MAX }.room();
            entries.retain(|entry| {
                let left = room.checked_sub(room_of(entry));
                room = left.unwrap_or(room);
                left.is_some()
            });
            let header = Header { nonce, shards, partitions };
            let first = encode_first(header, entries.iter());
            prop_assert!(first.len() <= METADATA_BYTES_MAX);
            prop_assert_eq!(decode_first(&first), Ok((header, entries.clone())));
            prop_assert_eq!(decode_other(&encode_other(entries.iter())), Ok(entries));
        }

        #[test]
        fn an_entry_takes_no_less_room_than_it_needs(mut entry in entries()) {
            let mut bytes = Vec::new();
            encode_entry(&entry, &mut bytes);
            prop_assert!((bytes.len()..=ENTRY_BYTES_MAX).contains(&room_of(&entry)));
            entry.mark.position = POSITION_FORESEEN;
            bytes.clear();
            encode_entry(&entry, &mut bytes);
            prop_assert_eq!(room_of(&entry), bytes.len());
        }

        #[test]
        fn foreign_metadata_is_an_error(text in ".{0,80}") {
            let _ = decode_first(&text);
            let _ = decode_other(&text);
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_its_number() {
        assert_eq!(decode_first("2 whatever comes"), Err(ShardError::Newer(2)));
        assert_eq!(decode_other("2 x"), Err(ShardError::Newer(2)));
        assert_eq!(decode_first(""), Err(ShardError::Damaged("the version is unknown")));
        assert_eq!(decode_first("1 00"), Err(ShardError::Damaged("the header is cut short")));
    }
}
