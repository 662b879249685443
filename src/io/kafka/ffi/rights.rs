//! What this client may do with a topic, by the brokers' own answer (KIP-430, Apache Kafka 2.3).

use std::ffi::CString;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_AclOperation_t as Acl;
use rdkafka::error::RDKafkaErrorCode;

use super::{FetchError, Native, OwnedEvent, Question, transaction_result};

/// What can be allowed on a topic, as far as it concerns an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To see that it is there.
    Describe,
    /// To read its settings.
    DescribeConfigs,
    /// To read records, and to commit positions on its partitions.
    Read,
    /// To produce.
    Write,
}

impl Native {
    /// What the brokers allow this client on a topic that it may describe.
    ///
    /// # Errors
    /// No answer, or the topic is missing or forbidden.
    pub fn allowed(&self, topic: &str, wait: Duration) -> Result<Vec<Operation>, FetchError> {
        let name = CString::new(topic)
            .map_err(|error| FetchError::new(RDKafkaErrorCode::InvalidArgument, &error))?;
        let request = TopicRequest::new(self, &name, wait)?;
        request.send(self, wait)?.operations()
    }
}

/// A request to describe one topic.
struct TopicRequest {
    topics: *mut rd::rd_kafka_TopicCollection_t,
    question: Question,
}

impl TopicRequest {
    fn new(native: &Native, topic: &CString, wait: Duration) -> Result<Self, FetchError> {
        let operation = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let question = Question::new(native, operation, wait);
        let mut names = [topic.as_ptr()];
        // SAFETY: the name is alive and copied; `drop` releases what is made here.
        let topics = unsafe { rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()) };
        let request = Self { topics, question };
        // SAFETY: the options are alive; the error is taken over.
        transaction_result(unsafe {
            rd::rd_kafka_AdminOptions_set_include_authorized_operations(request.question.options, 1)
        })
        .map_err(|error| FetchError::new(error.code, &error.text))?;
        Ok(request)
    }

    fn send(self, native: &Native, wait: Duration) -> Result<OwnedEvent, FetchError> {
        let (options, queue) = (self.question.options, self.question.queue);
        // SAFETY: all parts are alive; librdkafka copies names and options and keeps a reference to the queue.
        unsafe { rd::rd_kafka_DescribeTopics(native.ptr(), self.topics, options, queue) };
        self.question.answer(wait)
    }
}

impl Drop for TopicRequest {
    fn drop(&mut self) {
        // SAFETY: made in `new`, released once.
        unsafe { rd::rd_kafka_TopicCollection_destroy(self.topics) };
    }
}

impl OwnedEvent {
    /// The operations in the answer to a [`TopicRequest`].
    fn operations(&self) -> Result<Vec<Operation>, FetchError> {
        let missing = || FetchError::new(RDKafkaErrorCode::BadMessage, &"an answer without its topic");
        // SAFETY: the event is alive as long as `self`; a wrong type of event gives null.
        let result = unsafe { rd::rd_kafka_event_DescribeTopics_result(self.0) };
        if result.is_null() {
            return Err(missing());
        }
        let mut count = 0;
        // SAFETY: the result belongs to the live event, and so does what it lends.
        let topics = unsafe { rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count) };
        if topics.is_null() || count == 0 {
            return Err(missing());
        }
        // SAFETY: `count` is at least 1, so the first element is there.
        let topic = unsafe { *topics };
        // SAFETY: the topic belongs to the live event; its error too, and reading a code does not consume it.
        let code: RDKafkaErrorCode =
            unsafe { rd::rd_kafka_error_code(rd::rd_kafka_TopicDescription_error(topic)) }.into();
        if code != RDKafkaErrorCode::NoError {
            return Err(FetchError::new(code, &code));
        }
        let mut count = 0;
        // SAFETY: the topic belongs to the live event, and so does the array that it lends.
        let operations =
            unsafe { rd::rd_kafka_TopicDescription_authorized_operations(topic, &raw mut count) };
        if operations.is_null() {
            return Err(missing());
        }
        // SAFETY: librdkafka lends `count` initialised elements, alive as long as the event.
        let operations = unsafe { std::slice::from_raw_parts(operations, count) };
        Ok(operations.iter().filter_map(|operation| known(*operation)).collect())
    }
}

fn known(operation: Acl) -> Option<Operation> {
    let pairs = [
        (Acl::RD_KAFKA_ACL_OPERATION_DESCRIBE, Operation::Describe),
        (Acl::RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS, Operation::DescribeConfigs),
        (Acl::RD_KAFKA_ACL_OPERATION_READ, Operation::Read),
        (Acl::RD_KAFKA_ACL_OPERATION_WRITE, Operation::Write),
    ];
    pairs.into_iter().find(|(theirs, _)| *theirs == operation).map(|(_, ours)| ours)
}
