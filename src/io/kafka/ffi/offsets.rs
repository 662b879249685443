//! The committed offsets of groups, asked for many at a time: with very many files their positions lie in thousands of groups,
//! and an answer takes a millisecond or two.

use std::ffi::{CString, c_void};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::super::classify::words;
use super::{FetchError, Native, OwnedEvent, Question, transaction_result};
use crate::io::clock::Deadline;
use crate::pipeline::action::Committed;

/// How long librdkafka itself goes on with a question: the longest it takes. It must never be the first to give one up. Where
/// the coordinator is found or reached only after that, librdkafka 2.12 uses what it has already freed, which ends the
/// process (`rd_kafka_admin_coord_request` tells `rd_kafka_coord_req_fsm` that the question is gone, and that answers it).
const NEVER_GIVEN_UP: Duration = Duration::from_secs(3600);

impl Native {
    /// The committed offsets of each of some groups, only stable ones (no open transaction holds another value), in the order
    /// of the partitions asked for. All groups are asked at once, and their answers waited for this long.
    ///
    /// An answer that [is late](FetchError::is_late) leaves its question behind, for ever where the connection is dead: such
    /// a handle is to be closed.
    ///
    /// Only for a consumer handle WITH a group id: on others librdkafka 2.12 dereferences a null pointer when the
    /// coordinator answers NOT_COORDINATOR (`rd_kafka_handle_OffsetFetch`).
    ///
    /// # Errors
    /// Of each group: any error of it or of one of its partitions.
    pub fn committed(
        &self,
        groups: &[String],
        (topic, partitions): (&str, u32),
        wait: Duration,
    ) -> Vec<Result<Vec<Committed>, FetchError>> {
        let wanted = list_of(topic, partitions);
        let mut answers: Vec<_> = groups.iter().map(|_| Err(FetchError::late())).collect();
        let question = match OffsetsQuestion::new(self) {
            Ok(question) => question,
            Err(error) => return groups.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut asked = 0;
        for (number, group) in groups.iter().enumerate() {
            match question.ask(self, (number, group), &wanted) {
                Ok(()) => asked += 1,
                Err(error) => answers[number] = Err(error),
            }
        }
        let deadline = Deadline::after(wait);
        for _ in 0..asked {
            let Some(event) = question.0.next(deadline.remaining(wait)) else { break };
            let found = event.check().and_then(|()| event.group_partitions());
            let offsets =
                found.and_then(|found| (0..partitions).map(|one| committed_of(found, topic, one)).collect());
            if let Some(answer) = answers.get_mut(event.number()) {
                *answer = offsets;
            }
        }
        answers
    }
}

/// The question for the committed offsets of groups, whose answers come in any order.
struct OffsetsQuestion(Question);

impl OffsetsQuestion {
    fn new(native: &Native) -> Result<Self, FetchError> {
        let operation = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
        let question = Question::new(native, operation, NEVER_GIVEN_UP);
        // SAFETY: the options are alive; the error is taken over.
        transaction_result(unsafe {
            rd::rd_kafka_AdminOptions_set_require_stable_offsets(question.options, 1)
        })
        .map_err(|error| FetchError::new(error.code, &error.text))?;
        Ok(Self(question))
    }

    /// Asks for one group; the answer carries the number.
    fn ask(
        &self,
        native: &Native,
        (number, group): (usize, &str),
        wanted: &TopicPartitionList,
    ) -> Result<(), FetchError> {
        let name = CString::new(group)
            .map_err(|error| FetchError::new(RDKafkaErrorCode::InvalidArgument, &error))?;
        let (options, queue) = (self.0.options, self.0.queue);
        // SAFETY: name and list are alive and copied; the number goes through librdkafka as it is and is never followed;
        // librdkafka copies group and options and keeps a reference to the queue; the group is released after its only use.
        unsafe {
            let mut group = rd::rd_kafka_ListConsumerGroupOffsets_new(name.as_ptr(), wanted.ptr());
            rd::rd_kafka_AdminOptions_set_opaque(options, ptr::without_provenance_mut::<c_void>(number));
            rd::rd_kafka_ListConsumerGroupOffsets(native.ptr(), &raw mut group, 1, options, queue);
            rd::rd_kafka_ListConsumerGroupOffsets_destroy(group);
        }
        Ok(())
    }
}

impl OwnedEvent {
    /// The number that was given with the question.
    fn number(&self) -> usize {
        // SAFETY: the event is alive as long as `self`.
        unsafe { rd::rd_kafka_event_opaque(self.0) }.addr()
    }

    /// The list that the answer to [`OffsetsQuestion::ask`] lends.
    fn group_partitions(&self) -> Result<&rd::rd_kafka_topic_partition_list_t, FetchError> {
        let missing = || FetchError::new(RDKafkaErrorCode::BadMessage, &"an answer without its group");
        // SAFETY: the event is alive as long as `self`; a wrong type of event gives null.
        let result = unsafe { rd::rd_kafka_event_ListConsumerGroupOffsets_result(self.0) };
        if result.is_null() {
            return Err(missing());
        }
        let mut count = 0;
        // SAFETY: the result belongs to the live event.
        let groups = unsafe { rd::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count) };
        if groups.is_null() || count == 0 {
            return Err(missing());
        }
        // SAFETY: `count` is at least 1, so the first element is there.
        let group = unsafe { *groups };
        // SAFETY: the group belongs to the live event; its error too, and reading a code does not consume it.
        let code: RDKafkaErrorCode =
            unsafe { rd::rd_kafka_error_code(rd::rd_kafka_group_result_error(group)) }.into();
        if code != RDKafkaErrorCode::NoError {
            return Err(FetchError::new(code, &code));
        }
        // SAFETY: the list belongs to the live event.
        unsafe { rd::rd_kafka_group_result_partitions(group).as_ref() }.ok_or_else(missing)
    }
}

fn committed_of(
    found: &rd::rd_kafka_topic_partition_list_t,
    topic: &str,
    partition: u32,
) -> Result<Committed, FetchError> {
    let count = usize::try_from(found.cnt).unwrap_or(0);
    // SAFETY: librdkafka's list holds `cnt` initialised elements, alive as long as the list is borrowed.
    let elements = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(found.elems, count) } };
    let place = format!("{topic} [{partition}]");
    let element =
        elements.iter().find(|element| u32::try_from(element.partition) == Ok(partition)).ok_or_else(
            || FetchError::new(RDKafkaErrorCode::BadMessage, &format!("{place} is not in the answer")),
        )?;
    let code: RDKafkaErrorCode = element.err.into();
    if code != RDKafkaErrorCode::NoError {
        return Err(FetchError::new(code, &format!("{place}: {}", words(code))));
    }
    Ok(Committed { sequence: u64::try_from(element.offset).ok(), metadata: metadata_of(element) })
}

fn metadata_of(element: &rd::rd_kafka_topic_partition_t) -> String {
    if element.metadata.is_null() || element.metadata_size == 0 {
        return String::new();
    }
    // SAFETY: librdkafka keeps `metadata_size` bytes there, alive as long as the element is borrowed.
    let bytes = unsafe { std::slice::from_raw_parts(element.metadata.cast::<u8>(), element.metadata_size) };
    String::from_utf8_lossy(bytes).into_owned()
}

fn list_of(topic: &str, partitions: u32) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in (0..partitions).filter_map(|partition| i32::try_from(partition).ok()) {
        list.add_partition(topic, partition);
    }
    list
}
