//! Bugs that can be planted into the pipeline, one at a time, to show that the tests would see them.
//!
//! Without the `testing` feature [`is`] is constant and every planted branch is compiled away.

/// What can be broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Positions are put into the transaction before its records.
    OffsetsFirst,
    /// Positions are fetched before older incarnations are fenced.
    FetchBeforeInit,
    /// A tainted producer is kept.
    NoEpochHygiene,
    /// After a commit of unknown outcome the batch is sent again without asking Kafka.
    ResendAfterDoubt,
    /// A shard that changed is left out of the transaction.
    ShardForgotten,
    /// A file is known by its inode number alone.
    InodeOnly,
    /// A line without terminator is delivered as if it were complete.
    PartialAsWhole,
    /// The local state is written before the commit.
    PersistBeforeCommit,
    /// A producer goes on after an abort, from where reading was instead of from the committed positions.
    NoRewind,
    /// An empty remote side is taken for a first run although the local state knows better.
    RemoteLossIgnored,
    /// Bytes read are not verified against the marker.
    NoVerifyAfterRead,
    /// The first end of a renamed file counts as its end.
    FinishedAtFirstEof,
    /// A file that was quiet for long enough is finished although a process has it open for writing.
    QuietAgainstProof,
    /// What was written between the last read and the proof that its writers are gone is not read.
    NoReadAfterProof,
    /// The file that is being written to is asked about as if it were rotated.
    ProofOfActiveFile,
    /// A file with several names is read although its log does not allow it.
    HardLinkRead,
    /// A copy of a log is read like a log of its own.
    CopyReadOnItsOwn,
    /// An archive of a log is read like a log of its own.
    ArchiveReadOnItsOwn,
    /// Every archive that nobody knows is read, however old it is.
    EveryArchiveIsNew,
    /// A log that is missing goes on in an equal file, whatever that is called.
    ForeignCopyAdopted,
    /// An archive that held less than was read is not looked at again when what was read is given up.
    SetAsideForGood,
    /// A descriptor that shows another file than was listed is closed.
    DescriptorGivenBack,
    /// The bytes before the position of a known inode are not compared.
    RewriteUnnoticed,
    /// A file that lost its name is no longer read.
    DroppedWithItsName,
    /// An unfinished line counts as a line once its file is renamed.
    PartialWhenRotated,
    /// Nothing is listed again unless a hint says so.
    HintsTrusted,
    /// A line without terminator is skipped at the end of a read.
    UnfinishedLineForgotten,
    /// The local state counts even if Kafka's positions are newer.
    LocalStateTrusted,
    /// The next number in Kafka is taken for our own commit, whoever made it.
    RivalTakenForOurselves,
    /// A generation is forgotten as soon as its inode is gone.
    ForgottenAtOnce,
    /// An inode number that is used again is taken for the same inode.
    BirthIgnored,
    /// A head is not corrected by what is read later in its place.
    HeadKept,
    /// A transaction goes on without waiting for its records.
    NotFlushed,
    /// A commit that failed counts as done.
    CommittedOnAbort,
    /// A directory that cannot be listed counts as empty.
    ListingErrorAsEmpty,
    /// A file that could not be read is not tried again.
    ErrorEndsReading,
    /// Shard 0 is written first, so that a torn transaction can lose lines.
    FirstShardFirst,
    /// Positions are moved when records are queued, not when they are committed.
    AdvanceOnProduce,
    /// Deleted files are held whatever they take of the disk.
    DeletedHeld,
    /// What is lost of a generation that is over is not counted.
    LossForgotten,
    /// Bytes that cannot be read are passed over at the first failure.
    PassedOverAtOnce,
    /// Bytes that were passed over because they cannot be read are in no book.
    PassedOverUncounted,
    /// A descriptor that its file server no longer knows is kept for ever.
    StaleKept,
    /// A reload goes on from where reading was instead of from the committed positions.
    ReloadWithoutRewind,
    /// A reload takes effect in the middle of a transaction.
    ReloadInTransaction,
    /// A reload replaces the producer without asking Kafka what its last transaction came to.
    ReloadWithoutDoubt,
}

#[cfg(feature = "testing")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug into everything that runs on this thread, or removes it.
#[cfg(feature = "testing")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Plants the bug that `VIEWTAIL_PLANTED` names, of those that only a real Kafka can show.
///
/// # Panics
/// It names another one: a test would prove nothing.
#[cfg(feature = "testing")]
pub fn plant_from_environment() {
    let Ok(name) = std::env::var("VIEWTAIL_PLANTED") else { return };
    assert_eq!(name, "NoEpochHygiene", "VIEWTAIL_PLANTED names no bug that can be planted so");
    plant(Some(Bug::NoEpochHygiene));
}

/// Plants nothing.
#[cfg(not(feature = "testing"))]
pub fn plant_from_environment() {}

/// Whether this bug is planted.
#[cfg(feature = "testing")]
#[must_use]
pub fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether this bug is planted: never, in a build that ships.
#[cfg(not(feature = "testing"))]
#[must_use]
pub const fn is(_: Bug) -> bool {
    false
}
