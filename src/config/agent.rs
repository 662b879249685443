//! `agent:`: who this agent is and where it keeps its state.

use std::path::PathBuf;

use super::defaults;
use super::node::{Kind, Node, quoted};
use super::reader::Section;
use super::shape::Shape;
use super::units::Measure;
use super::value::{Fault, Value};

/// The agent itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Stable identity; `None`: derived from the machine id and the path of the state directory.
    pub id: Option<AgentId>,
    /// Lock, checkpoint cache and identity.
    pub state_dir: PathBuf,
    /// How much of the disk deleted files may hold.
    pub max_deleted_size: DeletedSize,
}

/// How much of the disk the agent may hold by deleted files that are not delivered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletedSize {
    /// As much as there is.
    Unlimited,
    /// At most so much.
    Bytes {
        /// The limit.
        bytes: u64,
    },
}

impl DeletedSize {
    /// The limit, if there is one.
    #[must_use]
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Bytes { bytes } => Some(bytes),
        }
    }
}

impl Value for DeletedSize {
    fn read(node: &Node) -> Result<Self, Fault> {
        let size = match &node.kind {
            Kind::Text(text) if text == "unlimited" => return Ok(Self::Unlimited),
            Kind::Text(text) => Measure::Size.parse(text),
            Kind::Integer(0) => Some(0),
            Kind::Null | Kind::Bool(_) | Kind::Integer(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => {
                None
            }
        };
        size.map(|bytes| Self::Bytes { bytes }).ok_or_else(|| {
            Fault::new(
                format!("must be `unlimited` or a size, found {}", node.describe()),
                Measure::Size.help(),
            )
        })
    }

    fn show(&self) -> String {
        match self {
            Self::Unlimited => "unlimited".to_owned(),
            Self::Bytes { bytes } => Measure::Size.show(*bytes),
        }
    }

    fn shape() -> Shape {
        Shape::one_of(&["unlimited"]).or(&Shape::any(Measure::Size))
    }
}

/// A name that is fit to be part of a transactional id and of group names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentId(String);

impl AgentId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for AgentId {
    fn read(node: &Node) -> Result<Self, Fault> {
        let id = String::read(node)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if id.len() > defaults::AGENT_ID_BYTES_MAX || !id.chars().all(allowed) {
            let fault = format!(
                "must be at most {} characters of a-z A-Z 0-9 . _ -, found {}",
                defaults::AGENT_ID_BYTES_MAX,
                quoted(&id)
            );
            return Err(Fault::new(fault, "use the host's name, for example web-1"));
        }
        // Group n of agent `a` is called `viewtail-a.n`: an agent `a.1` would keep its positions in a group of `a`.
        let ending = id.rsplit_once('.').map(|(_, ending)| ending);
        if ending.is_some_and(|ending| ending.bytes().all(|byte| byte.is_ascii_digit())) {
            let fault = format!("must not end in a dot and a number, found {}", quoted(&id));
            return Err(Fault::new(
                fault,
                format!(
                    "such names belong to further groups of another agent: write {}",
                    id.replace('.', "-")
                ),
            ));
        }
        Ok(Self(id))
    }

    fn show(&self) -> String {
        self.0.show()
    }

    fn shape() -> Shape {
        Shape::matching(
            "letters, digits, dots, underscores and dashes, at most 128",
            "^[A-Za-z0-9._-]{1,128}$",
        )
    }
}

pub(super) fn read(mut section: Section<'_>) -> Agent {
    let id = section.nullable("id");
    let state_dir = section.optional("state_dir", PathBuf::from(defaults::STATE_DIR));
    let max_deleted_size = section.optional("max_deleted_size", defaults::MAX_DELETED_SIZE);
    section.finish();
    Agent { id, state_dir, max_deleted_size }
}
